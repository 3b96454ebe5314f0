# peerwall: build, test, install.
#
#   make            build/peerwall
#   make check      all tests (what needs root or Docker says so where it cannot run)
#   make bench      how long the proof takes, beside iptables-restore; docs/performance.md
#   make install    to $(DESTDIR)$(PREFIX)
#   make SAN=1 ...  the same under the address and undefined-behaviour sanitizers, in build/san
#   make V=1 ...    shows the commands

MAKEFLAGS += -rR
.DELETE_ON_ERROR:
.SUFFIXES:

CC      := gcc
FLEX    := flex
BISON   := bison
PREFIX  := /usr/local
SBINDIR := $(PREFIX)/sbin
MANDIR  := $(PREFIX)/share/man
UNITDIR := $(PREFIX)/lib/systemd/system
PKGS    := jansson

BUILD := build$(if $(SAN),/san)
Q     := $(if $(V),,@)
JOBS  := $(shell nproc)

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	    -Wwrite-strings -Wvla -Wundef -Wformat=2 -Werror
HARDENING := -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS   := -O2 -g
ALL_CFLAGS  = -std=c11 -D_GNU_SOURCE -Iinclude -I$(BUILD)/grammar $(WARNINGS) \
	      $(if $(SAN),$(SANITIZE) -O1 -g,$(HARDENING) $(CFLAGS)) $(shell pkg-config --cflags $(PKGS))
ALL_LDFLAGS = $(if $(SAN),$(SANITIZE),-pie -Wl,-z,relro,-z,now) $(LDFLAGS)
LIBS        = $(shell pkg-config --libs $(PKGS)) -lm

GRAMMARS := policy ipsave
SOURCES  := $(sort $(wildcard src/*/*.c))
LIBRARY_SOURCES := $(filter-out src/cmd/main.c,$(SOURCES))
OBJECTS  := $(LIBRARY_SOURCES:%.c=$(BUILD)/%.o)
PARSERS  := $(GRAMMARS:%=$(BUILD)/grammar/%.tab.o) $(GRAMMARS:%=$(BUILD)/grammar/%.lex.o)
GENERATED_HEADERS := $(GRAMMARS:%=$(BUILD)/grammar/%.tab.h) $(GRAMMARS:%=$(BUILD)/grammar/%.lex.h)
UNITS    := $(sort $(wildcard tests/unit/test_*.c))
UNIT_PROGRAMS := $(UNITS:tests/unit/%.c=$(BUILD)/tests/%)

.PHONY: all
all: $(BUILD)/peerwall

$(BUILD)/peerwall: $(BUILD)/src/cmd/main.o $(BUILD)/libpeerwall.a
	@echo "  LD      $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/libpeerwall.a: $(OBJECTS) $(PARSERS)
	@echo "  AR      $@"
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/%.o: %.c | $(GENERATED_HEADERS)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# What flex and bison write is not ours to keep free of every warning.
$(BUILD)/grammar/%.o: $(BUILD)/grammar/%.c | $(GENERATED_HEADERS)
	@echo "  CC      $<"
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-unused-function -Wno-shadow -Wno-undef -Wno-sign-compare -Wno-missing-prototypes \
		-MMD -MP -c -o $@ $<

$(GRAMMARS:%=$(BUILD)/grammar/%.tab.c): $(BUILD)/grammar/%.tab.c: grammar/%.y
	@mkdir -p $(@D)
	@echo "  BISON   $<"
	$(Q)$(BISON) -Wall -Wcounterexamples -Wdangling-alias -Werror -o $@ --defines=$(@:.c=.h) $<
$(GRAMMARS:%=$(BUILD)/grammar/%.tab.h): %.h: %.c ;

# A warning of flex does not fail it; here it does.
$(GRAMMARS:%=$(BUILD)/grammar/%.lex.c): $(BUILD)/grammar/%.lex.c: grammar/%.l
	@mkdir -p $(@D)
	@echo "  FLEX    $<"
	$(Q)$(FLEX) -o $@ --header-file=$(@:.c=.h) $< 2>$(@:.c=.log) && test ! -s $(@:.c=.log) || { cat $(@:.c=.log) >&2; rm -f $@; false; }
$(GRAMMARS:%=$(BUILD)/grammar/%.lex.h): %.h: %.c ;

# ---- tests ----

# What needs root, namespaces, the corpus or the story says so and leaves with 77 where it cannot run; with CI=true that is a failure.
may_skip = || [ $$? = 77 ]

# Two at a time: some compute, and some wait for packets that do not come. Those that wait longest come first.
CHECKS := unit net golden sanitized layers headers scripts docs live schema props faults corpus story fuzz trace sets bench lab
.PHONY: check $(CHECKS:%=check-%)
check:
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all units
	$(Q)$(MAKE) --no-print-directory -j2 --output-sync=target $(CHECKS:%=check-%)
	@echo "all checks passed"

.PHONY: units
units: $(UNIT_PROGRAMS)

$(BUILD)/tests/%: tests/unit/%.c tests/unit/main.c $(wildcard tests/unit/*.h) $(BUILD)/libpeerwall.a
	@mkdir -p $(@D)
	@echo "  UNIT    $@"
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -Wno-pedantic $(shell pkg-config --cflags check) $(ALL_LDFLAGS) \
		-o $@ $< tests/unit/main.c $(BUILD)/libpeerwall.a $(shell pkg-config --libs check) $(TEST_LIBS) $(LIBS)

# The other implementation of the same algebra, to compare with.
$(BUILD)/tests/test_diagram: TEST_LIBS := -lbdd

check-unit: $(UNIT_PROGRAMS)
	$(Q)set -e; for program in $^; do CK_TIMEOUT_MULTIPLIER=5 CK_FORK=$(if $(SAN),no,yes) $$program; done

check-golden: $(BUILD)/peerwall
	$(Q)tests/golden/run.sh $(BUILD)/peerwall

# The same two under the address and undefined-behaviour sanitizers.
check-sanitized:
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) SAN=1 all units
	$(Q)$(MAKE) --no-print-directory -j1 SAN=1 check-unit check-golden

# Each header compiles alone.
check-headers:
	$(Q)for header in include/peerwall/*.h; do \
		$(CC) -std=c11 -D_GNU_SOURCE -Iinclude $(WARNINGS) -fsyntax-only -x c $$header || exit 1; done
	@echo "headers: each compiles alone"

check-layers:
	$(Q)tests/layers.sh

# Every script passes shellcheck, also those that compile writes.
check-scripts: $(BUILD)/peerwall
	$(Q)tests/scripts.sh $(BUILD)/peerwall $(may_skip)

check-props: $(BUILD)/peerwall
	$(Q)tests/props/examples.sh $(BUILD)/peerwall
	$(Q)tests/props/restore.sh $(BUILD)/peerwall $(may_skip)

check-live: $(BUILD)/peerwall
	$(Q)tests/live/run.sh $(may_skip)

# FAULTS=all takes every step; RACE_ROUNDS=300 makes it long.
check-faults: $(BUILD)/peerwall
	$(Q)tests/faults/run.py $(BUILD)/peerwall $(may_skip)
	$(Q)tests/faults/races.py $(BUILD)/peerwall $(may_skip)

check-net: $(BUILD)/peerwall
	$(Q)tests/net/run.sh $(may_skip)

check-lab: $(BUILD)/peerwall
	$(Q)for backend in nft legacy; do LAB_BACKEND=$$backend tests/lab/run.sh $(BUILD)/peerwall $(may_skip) || exit 1; done

check-corpus: $(BUILD)/peerwall
	$(Q)tests/corpus/run.sh $(may_skip)
	$(Q)tests/corpus/nft_rules.sh $(may_skip)
	$(Q)tests/corpus/witnesses.py $(BUILD)/peerwall $(may_skip)

check-story: $(BUILD)/peerwall
	$(Q)tests/story/traces.sh $(BUILD)/peerwall $(may_skip)
	$(Q)PEERWALL=$(BUILD)/peerwall tests/story/script.sh $(may_skip)

# What both tests against the kernel stand on, and each of them.
KERNEL_SHARED := $(addprefix tests/kernel/,random.c wire.c world.c)
KERNEL_SETS   := $(addprefix tests/kernel/,analysis.c prediction.c choice.c tally.c path.c nftrace.c dumps.c)
KERNEL_TESTS  := trace sets

$(BUILD)/tests/kernel-sets: $(KERNEL_SETS) tests/kernel/sets.h
$(KERNEL_TESTS:%=$(BUILD)/tests/kernel-%): $(BUILD)/tests/kernel-%: tests/kernel/%.c $(KERNEL_SHARED) tests/kernel/kernel.h $(BUILD)/libpeerwall.a
	@mkdir -p $(@D)
	@echo "  TEST    $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.c,$^) $(BUILD)/libpeerwall.a $(LIBS)

# The same rules and packets every time; `make check-sets SEED=` takes others, and so does a night.
SEED := 20261123
check-trace: $(BUILD)/tests/kernel-trace
	$(Q)tests/kernel/trace.sh $(SEED) $(may_skip)

check-sets: $(BUILD)/tests/kernel-sets
	$(Q)tests/kernel/sets.sh $(SEED) $(may_skip)

# `make night-sets NIGHT_SECONDS=28800`: millions of packets.
NIGHT_SECONDS := 3600
.PHONY: night-sets
night-sets: $(BUILD)/tests/kernel-sets
	$(Q)tests/kernel/night.sh $(NIGHT_SECONDS) $(may_skip)

check-docs: $(BUILD)/peerwall
	$(Q)tests/docs/run.sh $(BUILD)/peerwall $(may_skip)

# Times that are told, and none that is asked for: that it runs at all.
check-bench: $(BUILD)/peerwall $(BUILD)/tests/bench-measure
	$(Q)if BENCH_RUNS=1 PEERWALL_CORPUS= tests/bench/run.sh $^ 100 >$(BUILD)/bench.log; then echo "bench: runs"; \
	else status=$$?; cat $(BUILD)/bench.log; [ $$status = 77 ]; fi

check-schema: $(BUILD)/peerwall
	$(Q)tests/schema/run.sh $(BUILD)/peerwall $(may_skip)

# ---- benchmarks: docs/performance.md ----

BENCH_SIZES := 1000 10000 50000

$(BUILD)/tests/bench-measure: tests/bench/measure.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $<

.PHONY: bench
bench: $(BUILD)/peerwall $(BUILD)/tests/bench-measure
	$(Q)tests/bench/run.sh $^ $(BENCH_SIZES)

# ---- fuzzing: `make fuzz-snapshot FUZZ_SECONDS=3600` for a long run ----

FUZZERS      := policy snapshot trace
FUZZ_SECONDS := 20
FUZZ_FLAGS   := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
FUZZ_CORPUS  := build/fuzz/corpus

.PHONY: check-fuzz $(FUZZERS:%=fuzz-%)
check-fuzz:
	$(Q)if command -v clang >/dev/null; then \
		$(MAKE) --no-print-directory -j$(JOBS) $(FUZZERS:%=build/fuzz/fuzz_%) && \
		$(MAKE) --no-print-directory -j1 $(FUZZERS:%=fuzz-%); \
	else echo "skipped: fuzz: needs clang"; [ "$$CI" != true ]; fi

FUZZ_OBJECTS := $(LIBRARY_SOURCES:%.c=build/fuzz/%.o) $(GRAMMARS:%=build/fuzz/grammar/%.tab.o) \
		$(GRAMMARS:%=build/fuzz/grammar/%.lex.o)
FUZZ_COMPILE  = clang -std=c11 -D_GNU_SOURCE -Iinclude -Ibuild/grammar -w $(FUZZ_FLAGS) \
		$(shell pkg-config --cflags $(PKGS)) -MMD -MP

build/fuzz/src/%.o: src/%.c | $(GENERATED_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_COMPILE) -c -o $@ $<

build/fuzz/grammar/%.o: build/grammar/%.c | $(GENERATED_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_COMPILE) -c -o $@ $<

build/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_OBJECTS)
	@echo "  FUZZ    $@"
	$(Q)$(FUZZ_COMPILE) -fsanitize=fuzzer -o $@ $< $(FUZZ_OBJECTS) $(LIBS)

$(FUZZERS:%=fuzz-%): fuzz-%: build/fuzz/fuzz_%
	@mkdir -p $(FUZZ_CORPUS)/$*
	$(Q)tests/fuzz/seed.sh $* $(FUZZ_CORPUS)/$*
	$(Q)build/fuzz/fuzz_$* -dict=tests/fuzz/$*.dict -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=10 \
		-rss_limit_mb=4096 -close_fd_mask=1 -verbosity=0 -print_final_stats=0 -artifact_prefix=build/fuzz/ $(FUZZ_CORPUS)/$* \
		2>build/fuzz/$*.log || { tail -40 build/fuzz/$*.log; false; }
	@echo "fuzz-$*: no crash in $(FUZZ_SECONDS) s"

.PHONY: install
install: $(BUILD)/peerwall
	install -D -m 0755 $(BUILD)/peerwall $(DESTDIR)$(SBINDIR)/peerwall
	for page in docs/man/*.8 docs/man/*.5; do \
		install -D -m 0644 "$$page" "$(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}" || exit 1; done
	install -d "$(DESTDIR)$(UNITDIR)"
	for unit in examples/systemd/*.service; do \
		sed 's,/usr/local/sbin,$(SBINDIR),g' "$$unit" >"$(DESTDIR)$(UNITDIR)/$${unit##*/}" || exit 1; done

.PHONY: clean
clean:
	rm -rf build

-include $(FUZZ_OBJECTS:.o=.d)
-include $(OBJECTS:.o=.d) $(PARSERS:.o=.d) $(BUILD)/src/cmd/main.d
