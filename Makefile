# make demo     set up, build, and draw a first sheet of pictures
# make test     set up and run all tests
# make install  put flux2, the libraries it needs and its model under PREFIX (/usr/local)
# make install-libtorch   put libtorch there, for packages that depend on this one by version
# make docs     documentation of the library as a site of static files in .build/docs
# CUDA=1        with any of them: take libtorch for NVIDIA GPUs

PREFIX ?= /usr/local
STAGE := $(DESTDIR)$(PREFIX)
TORCH := $(STAGE)/lib/flux2/torch
FLUX2 := .build/release/flux2
SOURCES := Package.swift Sources Tests Examples Recipes

.PHONY: setup build demo test check format docs site install install-libtorch uninstall clean

setup:
	@Scripts/setup_packages.sh
	@$(if $(LIBTORCH),test -d "$(LIBTORCH)/include",Scripts/setup_libtorch.py $(if $(CUDA),--cuda))

build: setup
	swift build -c release --product flux2

demo: build
	@mkdir -p demo
	$(FLUX2) generate --prompt-file Recipes/emoji/demo.txt --seed 1 --grid --force \
	  --output demo/demo.png
	@echo "demo/demo-grid.png: $$(paste -sd, Recipes/emoji/demo.txt | sed 's/,/, /g')"

test: setup
	@Scripts/run_tests.sh

# Formatting and lint, as in CI.
check:
	swift format lint --strict --recursive --parallel $(SOURCES)

format:
	swift format --in-place --recursive --parallel $(SOURCES)

# The modules whose symbols `import Flux2` brings. Comments name the parameters that need words, not
# all of them.
docs: setup
	@Scripts/check_documentation.py
	@$(MAKE) --no-print-directory site

site:
	@rm -rf .build/symbols && mkdir -p .build/symbols
	@for module in Flux2 Torch Imaging ModelHub; do \
	  cp .build/release/../symbolgraph/$$module*.symbols.json .build/symbols/ || exit 1; done
	docc convert Sources/Flux2/Flux2.docc --additional-symbol-graph-dir .build/symbols \
	  --fallback-display-name Flux2 --fallback-bundle-identifier flux2.Flux2 \
	  --fallback-default-module-kind Module \
	  --disable-parameters-and-returns-validation --warnings-as-errors --output-path .build/docs

# Copies folders of libtorch; each is complete before it takes an older one's place.
define copy-libtorch
	mkdir -p $(TORCH)
	for part in $(1); do \
	  rm -rf $(TORCH)/$$part.new && \
	  cp -R -L $(or $(LIBTORCH),.libtorch/torch)/$$part $(TORCH)/$$part.new && \
	  rm -rf $(TORCH)/$$part && mv $(TORCH)/$$part.new $(TORCH)/$$part || exit 1; \
	done
	@if [ -d .libtorch/nvidia ]; then rm -rf $(STAGE)/lib/flux2/nvidia && \
	  cp -R .libtorch/nvidia $(STAGE)/lib/flux2/; fi
endef

# Copies the model that comes with the program, where the package has it.
define copy-emoji
	@if [ -f Models/emoji/model_index.json ]; then mkdir -p $(STAGE)/share/flux2 && \
	  rm -rf $(STAGE)/share/flux2/emoji.new && \
	  cp -R -L Models/emoji $(STAGE)/share/flux2/emoji.new && \
	  rm -rf $(STAGE)/share/flux2/emoji && \
	  mv $(STAGE)/share/flux2/emoji.new $(STAGE)/share/flux2/emoji; fi
endef

# The binary looks for its libraries in ../lib/flux2 before anywhere else. Headers that are there
# already stay those of the libraries.
install: setup
	swift build -c release --product flux2 --static-swift-stdlib --scratch-path .build/install
	install -D -m 755 .build/install/release/flux2 $(STAGE)/bin/flux2
	$(call copy-libtorch,lib $(notdir $(wildcard $(TORCH)/include)))
	$(copy-emoji)
	mkdir -p $(STAGE)/share/bash-completion/completions $(STAGE)/share/zsh/site-functions \
	  $(STAGE)/share/fish/vendor_completions.d
	$(STAGE)/bin/flux2 --generate-completion-script bash \
	  > $(STAGE)/share/bash-completion/completions/flux2
	$(STAGE)/bin/flux2 --generate-completion-script zsh > $(STAGE)/share/zsh/site-functions/_flux2
	$(STAGE)/bin/flux2 --generate-completion-script fish \
	  > $(STAGE)/share/fish/vendor_completions.d/flux2.fish

install-libtorch: setup
	$(call copy-libtorch,lib include)
	@Scripts/register_libtorch.sh "$(PREFIX)" "$(DESTDIR)"

uninstall:
	@Scripts/register_libtorch.sh --remove "$(PREFIX)" "$(DESTDIR)"
	rm -rf $(STAGE)/bin/flux2 $(STAGE)/lib/flux2 $(STAGE)/share/flux2 $(STAGE)/share/zsh/site-functions/_flux2 \
	  $(STAGE)/share/bash-completion/completions/flux2 \
	  $(STAGE)/share/fish/vendor_completions.d/flux2.fish

clean:
	rm -rf .build demo
