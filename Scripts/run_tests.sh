#!/usr/bin/env bash
# Runs `swift test` with the arguments given, and says in the end how many tests were skipped and why.
set -uo pipefail
cd "$(dirname "$0")/.."

# Tests compute side by side, each with threads of its own, which are not to wait by spinning.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
swift test "$@" 2>&1 | tee "$log"
status=$?
echo "skipped: $(grep -c 'Test .* skipped' "$log") tests"
grep -o 'skipped: ".*"' "$log" | sort | uniq -c | sed 's/skipped: //'
exit $status
