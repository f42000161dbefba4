#!/usr/bin/env bash
# Runs all tests, with the arguments that `swift test` takes, and says in the end how many were skipped and
# why. Built as people build the program: in debug builds the parser of arguments checks its own tables at
# every start of the program, for longer than most tests run.
set -uo pipefail
cd "$(dirname "$0")/.."

# Tests compute side by side, each with threads of its own, which are not to wait by spinning.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A folder of its own: the program that is built for tests is compiled otherwise.
swift test -c release --scratch-path .build/tests "$@" 2>&1 | tee "$log"
status=$?
echo "skipped: $(grep -c 'Test .* skipped' "$log") tests"
grep -o 'skipped: ".*"' "$log" | sort | uniq -c | sed 's/skipped: //'
exit $status
