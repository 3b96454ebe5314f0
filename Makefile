# peerwall: build, test, install.
#
#   make            build/peerwall
#   make check      all tests (what needs root or Docker says so where it cannot run)
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
PKGS    := jansson

BUILD := build$(if $(SAN),/san)
Q     := $(if $(V),,@)

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

# What needs root, namespaces or the corpus says so and leaves with 77 where it cannot run; with CI=true that is a failure.
may_skip = || [ $$? = 77 ]

CHECKS := unit golden layers scripts props live net corpus docs schema fuzz
.PHONY: check $(CHECKS:%=check-%)
check: $(CHECKS:%=check-%)
	@echo "all checks passed"

$(BUILD)/tests/%: tests/unit/%.c tests/unit/main.c tests/unit/unit.h $(BUILD)/libpeerwall.a
	@mkdir -p $(@D)
	@echo "  UNIT    $@"
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -Wno-pedantic $(shell pkg-config --cflags check) $(ALL_LDFLAGS) \
		-o $@ $< tests/unit/main.c $(BUILD)/libpeerwall.a $(shell pkg-config --libs check) $(LIBS)

check-unit: $(UNIT_PROGRAMS)
	$(Q)set -e; for program in $^; do CK_FORK=$(if $(SAN),no,yes) $$program; done

check-golden: $(BUILD)/peerwall
	$(Q)tests/golden/run.sh $(BUILD)/peerwall

check-layers:
	$(Q)tests/layers.sh

# Every script passes shellcheck, also those that compile writes.
check-scripts: $(BUILD)/peerwall
	$(Q)tests/scripts.sh $(BUILD)/peerwall $(may_skip)

check-props: $(BUILD)/peerwall
	$(Q)tests/props/restore.sh $(BUILD)/peerwall $(may_skip)

check-live: $(BUILD)/peerwall
	$(Q)tests/live/run.sh $(may_skip)

check-net: $(BUILD)/peerwall
	$(Q)tests/net/run.sh $(may_skip)

check-corpus: $(BUILD)/peerwall
	$(Q)tests/corpus/run.sh $(may_skip)

check-docs: $(BUILD)/peerwall
	$(Q)tests/docs/run.sh $(BUILD)/peerwall $(may_skip)

check-schema: $(BUILD)/peerwall
	$(Q)tests/schema/run.sh $(BUILD)/peerwall $(may_skip)

.PHONY: install
install: $(BUILD)/peerwall
	install -D -m 0755 $(BUILD)/peerwall $(DESTDIR)$(SBINDIR)/peerwall
	for page in docs/man/*.8 docs/man/*.5; do \
		install -D -m 0644 "$$page" "$(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}" || exit 1; done

.PHONY: clean
clean:
	rm -rf build

-include $(OBJECTS:.o=.d) $(PARSERS:.o=.d) $(BUILD)/src/cmd/main.d
