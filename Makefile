# SPDX-License-Identifier: MIT
#
# make help lists the targets: what stands behind ## in their first lines.

VERSION    = 0.1.0
SOVERSION  = 0

PREFIX     = /usr/local
prefix     = $(PREFIX)
bindir     = $(prefix)/bin
libdir     = $(prefix)/lib
libexecdir = $(prefix)/libexec/dsv
includedir = $(prefix)/include
datadir    = $(prefix)/share
mandir     = $(datadir)/man
pkgconfdir = $(libdir)/pkgconfig
docdir     = $(datadir)/doc/dsv
bashcompdir = $(datadir)/bash-completion/completions
zshcompdir  = $(datadir)/zsh/site-functions
fishcompdir = $(datadir)/fish/vendor_completions.d

B          = build
Q          = $(if $(V),,@)
PKG_CONFIG = pkg-config
PKGS       = sqlite3 jansson libcrypto libxxhash
CFLAGS     = -O2 -g
WARN       = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	     -Wold-style-definition -Wwrite-strings -Wvla -Wformat=2 \
	     -Wundef -Wpointer-arith -fno-common
WERROR     = $(if $(DEVELOPER),-Werror)
SAN        = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -fPIC \
	     -fvisibility=hidden -pthread -DDSV_VERSION='"$(VERSION)"' \
	     -DDSV_BINDIR='"$(bindir)"' -DDSV_SYSCONFDIR='"/etc"' \
	     $(WARN) $(WERROR) $(SAN) $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pthread $(SAN) $(LDFLAGS)
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null)

LIB_SRC    := $(sort $(wildcard lib/*/*.c))
CLI_SRC    := $(sort $(wildcard cli/*.c))
UNIT_SRC   := $(sort $(wildcard t/unit/*.c))
LIB_OBJ    := $(LIB_SRC:%.c=$(B)/%.o)
CLI_OBJ    := $(CLI_SRC:%.c=$(B)/%.o)
FUZZ_SRC   := $(sort $(wildcard t/fuzz/fuzz_*.c))
FUZZ_SEEDS := $(FUZZ_SRC:%.c=$(B)/%_seeds)
UNIT_BIN   := $(UNIT_SRC:t/unit/%.c=$(B)/t/unit/%)
MAN        := $(sort $(wildcard doc/*.[157]))
DOC        := README.md LICENSE CONTRIBUTING.md SECURITY.md \
	      $(sort $(wildcard doc/*.md))
EXAMPLES   := $(sort $(patsubst ./%,%,$(shell cd share && find . -type f)))

SPANK_H    := $(wildcard /usr/include/slurm/spank.h)
SPANK_SO   := $(if $(SPANK_H),$(B)/spank_dsv.so)
SPANK_SRC  := $(sort $(wildcard spank/*.c))
SPANK_OBJ  := $(SPANK_SRC:%.c=$(B)/%.o)
# The plugins of the installed Slurm are found by one of them.
SLURM_SO   := $(firstword $(wildcard $(addsuffix /select_cons_tres.so, \
		/usr/lib64/slurm /usr/lib/*/slurm-wlm /usr/lib/*/slurm \
		/usr/lib/slurm /usr/local/lib/slurm)))
spankdir   ?= $(if $(SLURM_SO),$(patsubst %/,%,$(dir $(SLURM_SO))),$(libdir)/slurm)

all: $(B)/dsv $(B)/libdsv.a $(B)/libdsv.so.$(SOVERSION) $(B)/libdsv.pc $(SPANK_SO) ## build everything into build/; the default

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

$(B)/libdsv.a: $(LIB_OBJ)
	$(Q)rm -f $@
	$(if $(V),,@echo "  AR $@")
	$(Q)$(AR) rcs $@ $^

$(B)/libdsv.so.$(SOVERSION): $(LIB_OBJ) lib/libdsv.map
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,$(@F) \
		-Wl,--version-script=lib/libdsv.map -o $@ $(LIB_OBJ) \
		$(PKG_LIBS) -lm
	$(Q)ln -sf $(@F) $(B)/libdsv.so

# install makes it again, since it may be run with another PREFIX.
PC_SED = sed -e 's|@prefix@|$(prefix)|;s|@libdir@|$(libdir)|' \
	     -e 's|@includedir@|$(includedir)|;s|@version@|$(VERSION)|'

$(B)/libdsv.pc: lib/libdsv.pc.in Makefile
	@mkdir -p $(@D)
	$(Q)$(PC_SED) $< >$@

# It links libc only: it is loaded into everybody's Slurm commands and
# slurmstepd.  The program that loads it has what it needs from Slurm.
$(SPANK_OBJ) $(B)/t/spank_faults.so: SAN =
$(SPANK_OBJ) $(B)/t/spank_faults.so: PKG_CFLAGS = -fstack-protector-strong $(SPANK_CFLAGS)
$(B)/spank_dsv.so: $(SPANK_OBJ) spank/spank_dsv.map
	$(CC) $(LDFLAGS) -shared -Wl,--version-script=spank/spank_dsv.map \
		-Wl,-z,relro,-z,now,-z,noexecstack -o $@ $(SPANK_OBJ)

# For tests, its callbacks fail, hang or die on request.
$(B)/t/spank_faults.so: $(SPANK_SRC) $(wildcard spank/*.h) spank/spank_dsv.map
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DDSV_SPANK_FAULTS $(LDFLAGS) -shared \
		-Wl,--version-script=spank/spank_dsv.map -o $@ $(SPANK_SRC)

INSTALL_DIRS := $(bindir) $(libdir) $(includedir) $(pkgconfdir) $(docdir) \
	$(bashcompdir) $(zshcompdir) $(fishcompdir)
INSTALLED  = $(bindir)/dsv $(libdir)/libdsv.a $(libdir)/libdsv.so \
	$(libdir)/libdsv.so.$(SOVERSION) $(includedir)/dsv.h \
	$(pkgconfdir)/libdsv.pc $(bashcompdir)/dsv $(zshcompdir)/_dsv \
	$(fishcompdir)/dsv.fish $(foreach page,$(notdir $(MAN)), \
	$(mandir)/man$(subst .,,$(suffix $(page)))/$(page))

# This leaves out the plugin, which belongs beside Slurm's: see install-spank.
install: all ## the program, library, pages; DESTDIR= PREFIX=
	install -d $(INSTALL_DIRS:%=$(DESTDIR)%)
	install -m 755 $(B)/dsv $(DESTDIR)$(bindir)/dsv
	install -m 644 $(B)/libdsv.a $(DESTDIR)$(libdir)/libdsv.a
	install -m 755 $(B)/libdsv.so.$(SOVERSION) $(DESTDIR)$(libdir)
	ln -sf libdsv.so.$(SOVERSION) $(DESTDIR)$(libdir)/libdsv.so
	install -m 644 lib/dsv.h $(DESTDIR)$(includedir)/dsv.h
	$(PC_SED) lib/libdsv.pc.in >$(DESTDIR)$(pkgconfdir)/libdsv.pc
	chmod 644 $(DESTDIR)$(pkgconfdir)/libdsv.pc
	for page in $(MAN); do \
		install -D -m 644 $$page \
		$(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/} || exit; \
	done
	install -m 644 completions/dsv.bash $(DESTDIR)$(bashcompdir)/dsv
	install -m 644 completions/dsv.zsh $(DESTDIR)$(zshcompdir)/_dsv
	install -m 644 completions/dsv.fish $(DESTDIR)$(fishcompdir)/dsv.fish
	install -m 644 $(DOC) $(DESTDIR)$(docdir)
	cd share && for file in $(EXAMPLES); do \
		install -D -m 644 $$file \
		$(DESTDIR)$(docdir)/examples/$${file#examples/} || exit; \
	done
	sed -i 's|/usr/bin/dsv|$(bindir)/dsv|' \
		$(DESTDIR)$(docdir)/examples/plugstack.conf

uninstall: ## remove what install installed
	rm -f $(INSTALLED:%=$(DESTDIR)%)
	rm -rf $(DESTDIR)$(docdir)

# It goes beside the plugins of the Slurm that it was built for.  It is replaced
# by rename, since a running slurmd has the old one mapped.
install-spank: $(B)/spank_dsv.so ## the Slurm plugin, beside Slurm's; spankdir=
	install -d $(DESTDIR)$(spankdir)
	install -m 644 $< $(DESTDIR)$(spankdir)/.spank_dsv.so.new
	mv -f $(DESTDIR)$(spankdir)/.spank_dsv.so.new \
		$(DESTDIR)$(spankdir)/spank_dsv.so

# libdsv is linked statically: there is one file to start, and no search path to
# get wrong.
$(B)/dsv: $(CLI_OBJ) $(B)/libdsv.a
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(CLI_OBJ) $(B)/libdsv.a $(PKG_LIBS) -lm

$(B)/t/perf/%: t/perf/%.c $(B)/libdsv.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(CPPFLAGS) $(ALL_LDFLAGS) -o $@ $< \
		$(B)/libdsv.a $(PKG_LIBS) -lm

$(B)/t/unit/%: t/unit/%.c $(B)/libdsv.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(CPPFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< \
		$(B)/libdsv.a $(PKG_LIBS) -lm

help: ## this list
	@awk -F ':.*## ' \
		'/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' \
		$(firstword $(MAKEFILE_LIST))
	@echo
	@echo 'V=1 shows the commands, DEVELOPER=1 adds -Werror,'
	@echo 'SANITIZE=address,undefined instruments, B=DIR is for the output.'

# Each of these works on a machine that has nothing but make: it installs the
# packages first, then runs make again, which now finds them.
deps: ## install what building and testing need (Debian 12)
	t/deps.sh

demo: ## the whole story on a throwaway Slurm cluster
	t/deps.sh
	$(MAKE) all
	t/demo.bash

check: ## build with -Werror, run every test; T=t/110-tag.bats: one
	t/deps.sh
	$(MAKE) DEVELOPER=1 all tests
	t/check.sh $(T)

check-sanitize: ## the same with ASan and UBSan, but for the jobs; T=
	t/deps.sh
	$(MAKE) DEVELOPER=1 SANITIZE=address,undefined B=build-sanitize all tests
	DSV_BUILD=build-sanitize t/check.sh $(T)

check-valgrind: ## the common commands under valgrind: two minutes
	t/deps.sh
	$(MAKE) DEVELOPER=1 all
	t/valgrind.bash

bench: ## beside the peers: an hour and 30 GiB
	t/deps.sh t/perf/packages.txt
	$(MAKE) all
	t/perf/bench.bash

bench-scale: ## how dsv grows, to a million states: half an hour
	t/deps.sh t/perf/packages.txt
	t/perf/scale.bash

coverage: ## which lines the tests reach: build-coverage/index.html
	t/deps.sh
	$(MAKE) B=build-coverage CFLAGS="-O0 -g --coverage" LDFLAGS=--coverage \
		SPANK_SO= all tests
	-DSV_BUILD=build-coverage t/check.sh $(T)
	gcovr --object-directory build-coverage --filter lib/ --filter cli/ \
		--print-summary --html-details build-coverage/index.html

tests: $(UNIT_BIN) $(FUZZ_SEEDS) $(B)/fault.so $(B)/t/dsv-next ## build what the tests need

# SOAK_SECONDS bounds how long each soak.py starts commands, FUZZ_SECONDS each
# fuzzer.  run.py --all ends when each place has been tried, rebuild.bash when
# its states are compared, soak.py when all live states have been checked out:
# the slower the disk of TMPDIR, the longer it takes.
SOAK_SECONDS = 120
soak: ## all kills, faults and power cuts: two hours or more
	t/deps.sh
	$(MAKE) all tests
	t/fault/run.py --all
	t/fault/run.py --prove-syncs --places 12 --mode lose --mode half
	t/fault/rebuild.bash
	t/fault/soak.py --seconds $(SOAK_SECONDS)
	t/fault/soak.py --seconds $(SOAK_SECONDS) --guard
	t/fault/soak.py --seconds $(SOAK_SECONDS) --guard --kill --writers 64
	$(MAKE) fuzz

# Tests preload it: kills, faults, lost writes.
$(B)/fault.so: $(wildcard t/fault/*.c t/fault/*.h)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(filter-out -fsanitize=% -D_FILE_OFFSET_BITS=64 --coverage, \
		$(ALL_CFLAGS)) -D_LARGEFILE64_SOURCE -shared -o $@ \
		$(filter %.c,$^) -ldl

# For tests, this dsv knows one more step of the schema.
$(B)/t/dsv-next: lib/db/schema.c $(LIB_OBJ) $(CLI_OBJ)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_CFLAGS) -DDSV_SCHEMA_NEXT $(ALL_LDFLAGS) -o $@ $< \
		$(filter-out $(B)/lib/db/schema.o,$(LIB_OBJ)) \
		$(CLI_OBJ) $(PKG_LIBS) -lm

fuzz: ## libFuzzer, FUZZ_SECONDS=60 for each fuzzer
	t/deps.sh t/fuzz/packages.txt
	$(MAKE) B=build-fuzz CC=clang CFLAGS="-O1 -g" \
		SANITIZE=fuzzer-no-link,address,undefined \
		$(FUZZ_SRC:%.c=build-fuzz/%)
	t/fuzz/run.bash $(FUZZ_SRC:t/fuzz/fuzz_%.c=%)

$(B)/t/fuzz/fuzz_%: t/fuzz/fuzz_%.c $(LIB_OBJ)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ \
		$(PKG_LIBS) -lm

# Runs each target on given files only, and so builds with any compiler.
$(B)/t/fuzz/fuzz_%_seeds: t/fuzz/fuzz_%.c t/fuzz/main.c $(LIB_OBJ)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lm

style: ## shellcheck
	shellcheck -x t/*.sh t/*.bash t/perf/*.bash .ci/run share/examples/*.sh

clean: ## remove all output
	rm -rf $(B) build-coverage build-fuzz build-sanitize

-include $(LIB_OBJ:.o=.d) $(SPANK_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(UNIT_BIN:=.d)

.PHONY: all bench bench-scale check check-sanitize check-valgrind clean \
	coverage demo deps fuzz help install install-spank soak style tests uninstall
.DELETE_ON_ERROR:
