# SPDX-License-Identifier: Apache-2.0
# Works alone: `make`. `./configure` is optional and writes config.mak only. `make help` lists the targets.
.DEFAULT_GOAL := all
srcdir := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
-include config.mak

O ?= build
AR ?= ar
PKG_CONFIG ?= pkg-config
INSTALL ?= install
CFLAGS ?= -O2 -g
# Whoever changes the code sets -Werror, and so does scripts/test: other compilers know other warnings.
WERROR ?=
FUZZ_SECONDS ?= 30

prefix ?= /usr/local
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
sbindir ?= $(exec_prefix)/sbin
libdir ?= $(exec_prefix)/lib
includedir ?= $(prefix)/include
datarootdir ?= $(prefix)/share
mandir ?= $(datarootdir)/man
docdir ?= $(datarootdir)/doc/virtrigaud-exporter
unitdir ?= $(prefix)/lib/systemd/system
sysusersdir ?= $(prefix)/lib/sysusers.d
catalogdir ?= $(prefix)/lib/systemd/catalog
presetdir ?= $(prefix)/lib/systemd/system-preset
completionsdir ?= $(datarootdir)/bash-completion/completions
zshcompletionsdir ?= $(datarootdir)/zsh/site-functions
fishcompletionsdir ?= $(datarootdir)/fish/vendor_completions.d
# Not below the prefix: a daemon looks for its configuration in /etc. The programs and the manual name this folder.
sysconfdir ?= /etc
confdir = $(sysconfdir)/virtrigaud-exporter

# ---- What there is

rel = $(patsubst $(srcdir)/%,%,$(wildcard $(addprefix $(srcdir)/,$(1))))
MAINS := src/daemon/main.c src/emit/main.c src/ctl/main.c
# What needs libsystemd, isa-l or GnuTLS can be left out (SYSTEMD=no, GZIP=no, TLS=no): its file then has a part that does
# without (VE_HAVE_SYSTEMD and so on), and its tests are not built.
has = -DVE_HAVE_$(1)=$(if $(filter no,$($(1))),0,1)
UNTESTED := $(if $(filter no,$(SYSTEMD)),service log_journal) $(if $(filter no,$(GZIP)),format_gzip) $(if $(filter no,$(TLS)),tls)
WITHOUT := $(if $(filter no,$(SYSTEMD)),libsystemd) $(if $(filter no,$(GZIP)),libisal) \
	$(if $(filter no,$(TLS)),gnutls)
CLIENT := $(call rel,clients/c/client/*.c)
LIB := $(filter-out $(MAINS),$(call rel,src/*/*.c)) $(CLIENT)
UNIT := $(patsubst tests/%.c,%,$(filter-out $(UNTESTED:%=tests/unit/test_%.c),$(call rel,tests/unit/test_*.c)))
STRESS := $(patsubst tests/%.c,%,$(call rel,tests/stress/stress_*.c))
MODEL := $(call rel,tests/model/run)
FUZZ := $(patsubst tests/fuzz/%.c,%,$(call rel,tests/fuzz/fuzz_*.c))
# Those of 70x and of boot want a build with libsystemd.
BOOT := $(if $(filter no,$(SYSTEMD)),,$(call rel,tests/boot/run tests/boot/package))
BARE := $(call rel,tests/bare/run tests/bare/trixie tests/bare/arm64)
SYSTEM := $(filter-out $(if $(filter no,$(SYSTEMD)),tests/system/70%),$(call rel,tests/system/[0-9][0-9][0-9]-*))
BENCH := $(patsubst %.c,%,$(filter-out bench/tool.c,$(call rel,bench/*.c)))
SOURCES := $(call rel,src/*/*.[ch] clients/c/*.[ch] clients/c/*/*.[ch] src/*/*.def tests/*/*.[ch] bench/*.[ch])
VERSIONED := $(patsubst $(srcdir)/%,%,$(shell grep -lE "VE_(VERSION|REVISION)" /dev/null $(wildcard $(srcdir)/src/*/*.c)))

# ---- Packages

# Goals that compile nothing need no libraries.
ifneq ($(filter-out clean distclean help format lint dist deb image release release-check uninstall check-bare check-arm64 check-model,$(or $(MAKECMDGOALS),all)),)
package_of = $(shell awk '$$3 == "$(1)" { print $$2 }' $(srcdir)/scripts/packages)
MODULES := $(filter-out $(WITHOUT),\
	$(shell awk '$$1 == "build" && NF == 3 { print $$3 }' $(srcdir)/scripts/packages))
ifeq ($(shell command -v $(PKG_CONFIG)),)
$(error $(PKG_CONFIG) is missing; on Debian: apt-get install pkg-config)
endif
MISSING := $(foreach m,$(MODULES),$(shell $(PKG_CONFIG) --exists $(m) || echo $(m)))
ifneq ($(strip $(MISSING)),)
$(error missing: $(MISSING); on Debian: apt-get install $(sort $(foreach m,$(MISSING),$(call package_of,$(m)))))
endif
VE_LDLIBS := $(shell $(PKG_CONFIG) --libs $(MODULES)) -lm
VE_CPPFLAGS := $(shell $(PKG_CONFIG) --cflags $(MODULES))
CHECK_LIBS = $(or $(shell $(PKG_CONFIG) --libs check),$(error the unit tests need check; on Debian: apt-get install check))

# ---- Flags: ours, then those of whoever builds, which win

if_known = $(foreach f,$(1),$(shell $(CC) -Werror $(f) -x c -c /dev/null -o /dev/null 2>/dev/null && echo $(f)))
HARDENING := -fPIE -fstack-protector-strong \
	$(if $(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),,$(if $(filter -O1 -O2 -O3 -Os,$(CFLAGS)),-U_FORTIFY_SOURCE \
	-D_FORTIFY_SOURCE=2)) \
	$(call if_known,-fstack-clash-protection -fcf-protection)
HARDENING_LINK := -pie -Wl,-z,relro,-z,now
endif

# xxhash insists on inlining, which -Og does not do.
VE_CPPFLAGS += $(if $(filter -Og,$(CFLAGS)),-DXXH_NO_INLINE_HINTS=1)
VE_CPPFLAGS += $(call has,SYSTEMD) $(call has,GZIP) $(call has,TLS)
VE_CPPFLAGS += -D_GNU_SOURCE -DVE_CONFDIR='"$(confdir)"' -I$(srcdir)/src -I$(srcdir)/clients/c -I$(srcdir)/tests/unit
# A product and a sum that become one instruction where the processor has it round once instead of twice: the same events
# would show other numbers on arm64 than on amd64.
VE_CFLAGS := -std=gnu11 -ffp-contract=off -pthread -fno-common $(WERROR) -Wall -Wextra -Wshadow -Wvla -Walloca \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wwrite-strings \
	-Wformat=2 -Wundef -Wdate-time -Wredundant-decls

# The calls that this test lets fail.
$(foreach b,$(O) $(O)/asan $(O)/tsan $(O)/cover,$(b)/unit/test_shortage): WRAPS = $(addprefix -Wl$(comma)--wrap=,malloc calloc \
	realloc strdup strndup mmap mprotect posix_fallocate pthread_create)
# Those at which this target interrupts a line, and those by which it says who a client is and how late it is.
$(O)/fuzz/bin/fuzz_dialogue $(foreach b,$(O) $(O)/asan $(O)/tsan $(O)/cover,$(b)/replay/fuzz_dialogue): WRAPS = $(addprefix -Wl$(comma)--wrap=,\
	table_find table_make table_is_still_alive table_remove table_cell owner_add cds_lfht_add_unique cds_lfht_del \
	peer_of_stream peer_of_datagram clock_mono_ms clock_real_ms rcu_wait process_read process_read_other \
	control_forget_step)
comma := ,

# Five builds beside each other, each with rules of its own below: as shipped, under AddressSanitizer,
# under ThreadSanitizer, for the fuzzer, and to see what its inputs reach. What differs is told by the folder.
BUILDS := $(O) $(O)/asan $(O)/tsan $(O)/fuzz $(O)/cover
ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all
B_CC = $(CC)
B_CFLAGS = $(CFLAGS)
B_FLAGS = $(if $(findstring -fsanitize,$(CFLAGS)),,$(HARDENING))
B_LINK = $(if $(findstring -fsanitize,$(CFLAGS)),,$(HARDENING_LINK))
$(O)/asan/% $(O)/tsan/% $(O)/fuzz/%: B_CFLAGS = -O1 -g -fno-omit-frame-pointer
$(O)/asan/% $(O)/tsan/% $(O)/fuzz/%: B_LINK =
$(O)/asan/%: B_FLAGS = $(ASAN)
# ThreadSanitizer does not see fences, and gcc warns of each. Ours order what is atomic anyway.
$(O)/tsan/%: B_FLAGS := -fsanitize=thread $(call if_known,-Wno-tsan)
$(O)/fuzz/%: B_FLAGS = $(ASAN) -fsanitize=fuzzer-no-link
$(O)/fuzz/%: B_CC = clang
$(O)/cover/%: B_CFLAGS = -O1 -g
$(O)/cover/%: B_LINK =
# With counters that can be those of a file: what a program that is killed has reached counts too.
$(O)/cover/%: B_FLAGS = -fprofile-instr-generate -fcoverage-mapping -mllvm -runtime-counter-relocation \
	-Wno-unused-command-line-argument
$(O)/cover/%: B_CC = clang

COMPILE = $(B_CC) $(VE_CPPFLAGS) $(VE_CFLAGS) $(B_FLAGS) $(CPPFLAGS) $(B_CFLAGS)
LINK = $(B_LINK) -Wl,--as-needed $(LDFLAGS)
# One short line a step; V=1 shows the commands.
say = $(if $(V),,@echo '  $(1)$@' &&)
DEPS = -MMD -MP -MF $@.d -MT $@
quoted = '$(subst ','\'',$(1))'
# Replaces $@ by what the recipe wrote to $@.new, and only if that is something else.
keep_if_same = if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# ---- The library for C: shared and static. Only its public names can be seen of either.

SONAME := libvirtrigaud-client.so.1
CLIENT_SHARED := $(O)/client/$(SONAME).0.0
CLIENT_STATIC := $(O)/client/libvirtrigaud-client.a
CLIENT_FILES := $(CLIENT_SHARED) $(CLIENT_STATIC) $(O)/client/virtrigaud-client.pc
CLIENT_OBJECTS := $(CLIENT:clients/c/client/%.c=$(O)/client/%.o)
OBJCOPY ?= objcopy

$(O)/client/%.o: $(srcdir)/clients/c/client/%.c $(O)/gen/flags
	@mkdir -p $(@D)
	$(call say,CC      )$(filter-out -fPIE,$(COMPILE)) -fPIC -fno-lto $(DEPS) -c -o $@ $<
$(CLIENT_SHARED): $(CLIENT_OBJECTS) $(srcdir)/clients/c/virtrigaud-client.map
	$(call say,LINK    )$(filter-out -fPIE,$(COMPILE)) -shared $(filter-out -pie,$(LINK)) -Wl,-z,defs \
		-Wl,-soname,$(SONAME) -Wl,--version-script,$(srcdir)/clients/c/virtrigaud-client.map -o $@ $(CLIENT_OBJECTS)
	@ln -sf $(@F) $(@D)/$(SONAME) && ln -sf $(SONAME) $(@D)/libvirtrigaud-client.so
$(CLIENT_STATIC): $(CLIENT_OBJECTS)
	$(call say,AR      )$(CC) -r -nostdlib -o $(O)/client/all.o $^ && \
		$(OBJCOPY) --wildcard --keep-global-symbol='virtrigaud_*' $(O)/client/all.o && rm -f $@ && \
		$(AR) rcs $@ $(O)/client/all.o
$(O)/client/virtrigaud-client.pc: $(srcdir)/clients/c/virtrigaud-client.pc.in $(srcdir)/VERSION FORCE
	@mkdir -p $(@D)
	@sed -e 's|@prefix@|$(prefix)|g; s|@libdir@|$(libdir)|g; s|@includedir@|$(includedir)|g' \
		-e "s|@version@|$$(cat $(srcdir)/VERSION)|" $< >$@.new && $(keep_if_same)

# One of the daemons of scripts/sample, on the library.
$(O)/sample-manager: $(srcdir)/clients/c/sample/manager.c $(srcdir)/clients/c/virtrigaud-client.h $(CLIENT_STATIC)
	$(call say,LINK    )$(COMPILE) $(LINK) -o $@ $< $(CLIENT_STATIC)

# ---- Programs

all: $(O)/virtrigaud-exporter $(O)/virtrigaud-emit $(O)/virtrigaud-ctl $(CLIENT_FILES) $(O)/sample-manager

$(O)/gen/builtin.c: $(srcdir)/conf/catalog.yaml $(srcdir)/scripts/embed
	@mkdir -p $(@D)
	$(call say,EMBED   )$(srcdir)/scripts/embed catalog_builtin $< >$@.new && mv $@.new $@
$(O)/gen/version.h: FORCE
	@mkdir -p $(@D)
	@$(srcdir)/scripts/version-header >$@.new && $(keep_if_same)

# $(1): the folder of one build.
define rules
$(1)/virtrigaud-exporter: $(1)/src/daemon/main.o $(1)/libve.a
$(1)/virtrigaud-emit: $(1)/src/emit/main.o $(1)/libve.a
$(1)/virtrigaud-ctl: $(1)/src/ctl/main.o $(1)/libve.a
$(1)/virtrigaud-exporter $(1)/virtrigaud-emit $(1)/virtrigaud-ctl:
	$$(call say,LINK    )$$(COMPILE) $$(LINK) -o $$@ $$^ $$(VE_LDLIBS)
$(1)/libve.a: $(LIB:%.c=$(1)/%.o) $(1)/gen/builtin.o
	$$(call say,AR      )rm -f $$@ && $$(AR) rcs $$@ $$^
$(1)/gen/flags: FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' $$(call quoted,$$(COMPILE) $$(LINK) $$(VE_LDLIBS)) >$$@.new && $$(keep_if_same)
$(1)/gen/builtin.o: $(O)/gen/builtin.c $(1)/gen/flags
	$$(call say,CC      )$$(COMPILE) -c -o $$@ $$<
$(1)/src/%.o: $(srcdir)/src/%.c $(1)/gen/flags
	@mkdir -p $$(@D)
	$$(call say,CC      )$$(COMPILE) $$(VERSION_HEADER) $$(DEPS) -c -o $$@ $$<
$(1)/clients/%.o: $(srcdir)/clients/%.c $(1)/gen/flags
	@mkdir -p $$(@D)
	$$(call say,CC      )$$(COMPILE) $$(DEPS) -c -o $$@ $$<
$(VERSIONED:%.c=$(1)/%.o): VERSION_HEADER = -include $(O)/gen/version.h
$(VERSIONED:%.c=$(1)/%.o): $(O)/gen/version.h
$(1)/unit/%: $(srcdir)/tests/unit/%.c $(1)/libve.a $(1)/gen/flags
	@mkdir -p $$(@D)
	$$(call say,TEST    )$$(COMPILE) $$(DEPS) $$(LINK) $$(WRAPS) -o $$@ $$< $(1)/libve.a $$(CHECK_LIBS) $$(VE_LDLIBS)
$(1)/stress/%: $(srcdir)/tests/stress/%.c $(1)/libve.a $(1)/gen/flags
	@mkdir -p $$(@D)
	$$(call say,TEST    )$$(COMPILE) $$(DEPS) $$(LINK) -o $$@ $$< $(1)/libve.a $$(VE_LDLIBS)
$(1)/replay/%: $(srcdir)/tests/fuzz/replay.c $(srcdir)/tests/fuzz/%.c $(1)/libve.a $(1)/gen/flags
	@mkdir -p $$(@D)
	$$(call say,TEST    )$$(COMPILE) $$(DEPS) $$(LINK) $$(WRAPS) -o $$@ $$< $(srcdir)/tests/fuzz/$$*.c $(1)/libve.a $$(VE_LDLIBS)
endef
$(foreach b,$(BUILDS),$(eval $(call rules,$(b))))

$(O)/fuzz/bin/%: $(srcdir)/tests/fuzz/%.c $(O)/fuzz/libve.a $(O)/fuzz/gen/flags
	@mkdir -p $(@D)
	$(call say,FUZZ    )$(COMPILE) $(DEPS) $(LINK) $(WRAPS) -fsanitize=fuzzer -o $@ $< $(O)/fuzz/libve.a $(VE_LDLIBS)

# ---- The daemon with a line that never ends, for the tests of what must end it

STUCK := $(O)/stuck/virtrigaud-exporter
$(STUCK): $(O)/src/daemon/main.o $(O)/stuck/place.o $(O)/libve.a
	$(call say,LINK    )$(COMPILE) $(LINK) -o $@ $^ $(VE_LDLIBS)
$(O)/stuck/place.o: $(srcdir)/src/event/place.c $(O)/gen/flags
	@mkdir -p $(@D)
	$(call say,CC      )$(COMPILE) -DVE_TEST_STUCK_LINE $(DEPS) -c -o $@ $<

# What tests find beside the programs, and is nothing of src/ or not for its lines.
COVER_BESIDE := client sample-manager stuck
$(COVER_BESIDE:%=$(O)/cover/%):
	@mkdir -p $(@D)
	@ln -sfn ../$(@F) $@

# ---- The benchmark's programs

BENCH_RUN := $(addprefix $(O)/,$(BENCH))
$(BENCH_RUN): $(O)/bench/%: $(srcdir)/bench/%.c $(srcdir)/bench/tool.c $(srcdir)/bench/tool.h $(O)/gen/flags
	@mkdir -p $(@D)
	$(call say,BENCH   )$(COMPILE) $(LINK) -o $@ $(filter %.c,$^) $(VE_LDLIBS)

bench-programs: all $(BENCH_RUN)
bench: bench-programs
	$(srcdir)/scripts/need bench
	$(srcdir)/bench/run --build=$(O)
bench-clients:
	$(srcdir)/clients/bench/python-calls
	$(srcdir)/clients/bench/go-calls --build=$(O)
bench-scaling: bench-programs
	$(srcdir)/scripts/need bench
	$(srcdir)/bench/scaling --build=$(O)

# ---- Tests: tests/run runs them, and ends with the one line of numbers

RUN = $(srcdir)/tests/run --build=$(O)
# What a change is looked at with while it is being made: each part of the program once, and lint.
QUICK := $(filter $(addprefix tests/system/,101-% 102-% 103-% 107-% 110-% 201-% 203-% 211-% 301-% 304-% 305-% 321-% 401-% \
	405-% 504-% 507-% 601-% 802-% 900-%),$(SYSTEM))
UNIT_RUN := $(addprefix $(O)/,$(UNIT))
ASAN_RUN := $(addprefix $(O)/asan/,$(UNIT) $(STRESS))
TSAN_RUN := $(addprefix $(O)/tsan/,$(UNIT) $(STRESS))
STRESS_RUN := $(addprefix $(O)/,$(STRESS))
REPLAY_RUN := $(addprefix $(O)/asan/replay/,$(FUZZ))
COVER_RUN := $(addprefix $(O)/cover/,$(UNIT))
# But for what is about documents, and for what builds the tree, which writes no counters.
COVER_SYSTEM := $(filter-out tests/system/711-% tests/system/8% tests/system/9%,$(SYSTEM))
in_src = $(addprefix $(srcdir)/,$(1))

check: all $(UNIT_RUN)
	@$(RUN) $(call in_src,$(QUICK)) $(UNIT_RUN)
check-unit: $(UNIT_RUN)
	@$(RUN) $(UNIT_RUN)
check-asan: $(ASAN_RUN)
	@$(RUN) $(ASAN_RUN)
check-tsan: $(TSAN_RUN)
	@$(RUN) $(TSAN_RUN)
check-stress: $(STRESS_RUN)
	@$(RUN) $(STRESS_RUN)
check-fuzz: $(REPLAY_RUN)
	@$(RUN) $(REPLAY_RUN)
check-model:
	@$(RUN) $(call in_src,$(MODEL))
check-system: all $(STUCK) $(BENCH_RUN)
	@$(RUN) $(call in_src,$(SYSTEM))
# The clients: their unit tests, the same suite for each, and their documents.
check-clients: all
	@$(RUN) $(call in_src,$(filter $(addprefix tests/system/,611-% 612-% 613-% 614-% 618-% 62% 810-%),$(SYSTEM)))
check-boot: all $(STUCK)
	@$(RUN) $(call in_src,$(BOOT))
check-bare:
	@$(RUN) $(call in_src,$(BARE))
# Built for arm64, and tested in an emulator.
check-arm64:
	@$(RUN) $(call in_src,tests/bare/arm64)
check-all: all build-tests
	@$(RUN) $(UNIT_RUN) $(ASAN_RUN) $(TSAN_RUN) $(STRESS_RUN) $(REPLAY_RUN) $(call in_src,$(MODEL) $(SYSTEM) $(BOOT))
check-long: all $(STUCK) $(UNIT_RUN) $(STRESS_RUN) $(BENCH_RUN)
	@VE_LONG=1 $(RUN) $(UNIT_RUN) $(STRESS_RUN) $(call in_src,$(SYSTEM) $(BARE))
soak: all
	@VE_LONG=1 VE_SOAK_SECONDS=$(or $(SECONDS),120) $(if $(SEED),VE_SEED=$(SEED)) $(RUN) --output \
		$(call in_src,tests/system/271-soak)
# Everything that check-all runs, built and not run.
build-tests: $(STUCK) $(BENCH_RUN) $(UNIT_RUN) $(ASAN_RUN) $(TSAN_RUN) $(STRESS_RUN) $(REPLAY_RUN)

# Every source in each of those builds, and every test in one of them: what a compiler has to say to all files.
build-sources: all $(STUCK) $(BENCH_RUN) $(UNIT_RUN) $(STRESS_RUN) $(REPLAY_RUN) $(O)/tsan/libve.a

# The tests that need no other build.
build-unit: $(UNIT_RUN) $(STRESS_RUN)

fuzz: $(FUZZ:%=$(O)/fuzz/run/%)
$(O)/fuzz/run/fuzz_%: $(O)/fuzz/bin/fuzz_% FORCE
	@mkdir -p $(O)/fuzz/corpus/$*
	$< -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=1 \
		-artifact_prefix=$(O)/fuzz/found-$*- $(O)/fuzz/corpus/$* $(wildcard $(srcdir)/tests/fuzz/corpus/$*)

# What the saved inputs reach of the parsers, in percent of lines; fails below 90.
fuzz-coverage: $(FUZZ:%=$(O)/cover/replay/%)
	$(srcdir)/scripts/fuzz-coverage $(O)/cover

# What unit and system tests reach of src/, in percent of lines; fails below 97.1. TESTS: other ones, as make names them.
coverage: all $(STUCK) $(addprefix $(O)/cover/,virtrigaud-exporter virtrigaud-emit virtrigaud-ctl $(COVER_BESIDE)) \
	$(if $(TESTS),$(filter $(O)/cover/%,$(TESTS)),$(COVER_RUN))
	$(srcdir)/scripts/coverage $(if $(TESTS),,--least=97.1) $(O)/cover $(or $(TESTS),$(COVER_RUN) $(call in_src,$(COVER_SYSTEM)))

# Rules, alerts and dashboards.
mixin:
	jsonnet -J $(srcdir)/conf/mixin -S -m $(srcdir)/conf -e "(import 'yaml.libsonnet')(import 'mixin.libsonnet')"
	jsonnet -J $(srcdir)/conf/mixin -m $(srcdir)/conf/grafana -e "(import 'mixin.libsonnet').grafanaDashboards"

lint:
	$(srcdir)/scripts/lint
format:
	clang-format -i $(addprefix $(srcdir)/,$(SOURCES))

# ---- Installation

DOCS := $(call rel,README* ARCHITECTURE.md SECURITY.md NEWS LICENSE)
MANUALS := $(call rel,docs/*.* docs/clients/*.*)
EXAMPLES := $(call rel,conf/catalog.yaml conf/*/*.* conf/*/*/*.*)
# Of the clients what a component takes, and not what tests and measures them.
CLIENTS := $(patsubst $(srcdir)/%,%,$(sort $(shell find $(srcdir)/clients/*/ -type f ! -path '*/conformance/*' ! -path '*/tests/*' \
	! -path '*/clients/bench/*' ! -path '*/clients/c/*' ! -path '*/__pycache__/*')))
example_path = $(D)$(docdir)/examples/$(patsubst conf/%,%,$(1))
MAN := $(call rel,man/*.[1-8])
UNITS := $(call rel,systemd/*.service systemd/*.socket)
SYSUSERS := $(call rel,systemd/*.sysusers)
PRESETS := $(call rel,systemd/*.preset)
MESSAGES := $(call rel,systemd/*.catalog)
COMPLETIONS := $(call rel,completions/*)
D = $(DESTDIR)
# _NAME is for zsh, NAME.fish for fish, and NAME for bash.
completion_path = $(D)$(if $(filter _%,$(notdir $(1))),$(zshcompletionsdir),$(if $(filter \
	%.fish,$(1)),$(fishcompletionsdir),$(completionsdir)))/$(notdir $(1))
man_path = $(D)$(mandir)/man$(patsubst .%,%,$(suffix $(1)))/$(notdir $(1))
CLIENT_INSTALLED = $(addprefix $(D)$(libdir)/,$(notdir $(CLIENT_SHARED)) $(SONAME) libvirtrigaud-client.so \
	libvirtrigaud-client.a pkgconfig/virtrigaud-client.pc) $(D)$(includedir)/virtrigaud-client.h
OURS = $(D)$(sbindir)/virtrigaud-exporter $(D)$(bindir)/virtrigaud-emit $(D)$(bindir)/virtrigaud-ctl $(CLIENT_INSTALLED) \
	$(addprefix $(D)$(docdir)/,$(notdir $(DOCS))) $(addprefix $(D)$(docdir)/,$(MANUALS)) \
	$(foreach e,$(EXAMPLES),$(call example_path,$(e))) $(addprefix $(D)$(docdir)/,$(CLIENTS)) \
	$(foreach m,$(MAN),$(call man_path,$(m))) $(addprefix $(D)$(unitdir)/,$(notdir $(UNITS))) \
	$(patsubst %.sysusers,$(D)$(sysusersdir)/%.conf,$(notdir $(SYSUSERS))) \
	$(addprefix $(D)$(presetdir)/80-,$(notdir $(PRESETS))) $(addprefix $(D)$(catalogdir)/,$(notdir $(MESSAGES))) \
	$(foreach c,$(COMPLETIONS),$(call completion_path,$(c)))

# What is installed names the folders that it is installed to, and units nothing that this systemd does not know.
fit = sed -e 's|@sbindir@|$(sbindir)|g' -e 's|/etc/virtrigaud-exporter|$(confdir)|g'
fit_unit = $(fit) $(if $(shell $(PKG_CONFIG) --atleast-version=254 libsystemd && echo yes),,\
	-e '/^RestartSteps=/d; /^RestartMaxDelaySec=/d; s/^\# After 1 s, and where.*/\# systemd before 254 knows no delay that grows./')
# The documents call the examples by their names in the sources.
fit_docs = $(fit) -e 's|`conf/|`examples/|g'
# $(call put,FIT,FILE,DESTINATION): without /dev/stdin, which a bare chroot lacks.
put = $(INSTALL) -d $(dir $(3)) && $(1) $(srcdir)/$(2) >$(3) && chmod 644 $(3)

define newline


endef

# The library for C alone.
install-client: $(CLIENT_FILES)
	$(INSTALL) -d $(D)$(libdir)/pkgconfig $(D)$(includedir)
	$(INSTALL) -m 644 $(CLIENT_SHARED) $(CLIENT_STATIC) $(D)$(libdir)
	ln -sf $(notdir $(CLIENT_SHARED)) $(D)$(libdir)/$(SONAME)
	ln -sf $(SONAME) $(D)$(libdir)/libvirtrigaud-client.so
	$(INSTALL) -m 644 $(O)/client/virtrigaud-client.pc $(D)$(libdir)/pkgconfig
	$(INSTALL) -m 644 $(srcdir)/clients/c/virtrigaud-client.h $(D)$(includedir)

install: all install-client
	$(INSTALL) -d $(D)$(sbindir) $(D)$(bindir) $(D)$(docdir)/examples $(D)$(confdir)/catalog.d
	$(INSTALL) -m 755 $(O)/virtrigaud-exporter $(D)$(sbindir)
	$(INSTALL) -m 755 $(O)/virtrigaud-emit $(O)/virtrigaud-ctl $(D)$(bindir)
	$(foreach m,$(DOCS),$(call put,$(fit_docs),$(m),$(D)$(docdir)/$(m))$(newline)	)
	$(INSTALL) -d $(D)$(docdir)/docs
	$(INSTALL) -m 644 $(call in_src,$(filter-out %.md,$(MANUALS))) $(D)$(docdir)/docs
	$(foreach m,$(filter %.md,$(MANUALS)),$(call put,$(fit_docs),$(m),$(D)$(docdir)/$(m))$(newline)	)
	$(foreach e,$(EXAMPLES),$(call put,$(if $(filter conf/kubernetes/%,$(e)),cat,$(fit)),$(e),$(call example_path,$(e)))$(newline)	)
	$(foreach c,$(CLIENTS),$(INSTALL) -D -m 644 $(srcdir)/$(c) $(D)$(docdir)/$(c)$(newline)	)
	@if [ -e $(D)$(confdir)/config.yaml ]; then echo "$(D)$(confdir)/config.yaml exists and is kept"; \
	else $(call put,$(fit),conf/config.yaml,$(D)$(confdir)/config.yaml); fi
	$(foreach m,$(MAN),$(call put,$(fit),$(m),$(call man_path,$(m)))$(newline)	)
	$(foreach u,$(UNITS),$(call put,$(fit_unit),$(u),$(D)$(unitdir)/$(notdir $(u)))$(newline)	)
	$(foreach u,$(SYSUSERS),$(INSTALL) -D -m 644 $(srcdir)/$(u) \
		$(D)$(sysusersdir)/$(notdir $(u:.sysusers=.conf))$(newline)	)
	$(foreach m,$(MESSAGES),$(INSTALL) -D -m 644 $(srcdir)/$(m) $(D)$(catalogdir)/$(notdir $(m))$(newline)	)
	$(foreach p,$(PRESETS),$(INSTALL) -D -m 644 $(srcdir)/$(p) $(D)$(presetdir)/80-$(notdir $(p))$(newline)	)
	$(foreach c,$(COMPLETIONS),$(INSTALL) -D -m 644 $(srcdir)/$(c) $(call completion_path,$(c))$(newline)	)

uninstall:
	rm -f $(OURS)
	@if $(fit) $(srcdir)/conf/config.yaml | cmp -s - $(D)$(confdir)/config.yaml; then rm $(D)$(confdir)/config.yaml; \
	elif [ -e $(D)$(confdir)/config.yaml ]; then echo "$(D)$(confdir)/config.yaml was changed and is kept"; fi
	@for d in $$(find $(D)$(docdir) -depth -type d 2>/dev/null) $(D)$(confdir)/catalog.d $(D)$(confdir); do \
		[ ! -d $$d ] || rmdir $$d 2>/dev/null || echo "$$d contains your files and is kept"; done

# ---- The rest

# What clangd and clang-tidy read.
compile_commands.json: $(O)/gen/version.h
	@$(srcdir)/scripts/compile-commands $(call quoted,$(COMPILE) -include $<) $(addprefix $(srcdir)/,$(LIB) $(MAINS)) >$@

dist:
	$(srcdir)/scripts/dist $(O)

# The Debian package of the last commit, in build/deb.
deb:
	$(srcdir)/scripts/deb $(O)/deb
# An OCI image without a shell, in build/image.
IMAGE ?= $(O)/image
image:
	rm -rf $(O)/stage $(IMAGE)
	$(MAKE) -s O=$(O) DESTDIR=$(abspath $(O)/stage) prefix=/usr sysconfdir=/etc install >/dev/null
	$(srcdir)/scripts/image $(IMAGE) $(O)/stage
# Whether the last commit can be released; then all of a release, with checksums, and signed if KEY names a key.
release-check:
	$(srcdir)/scripts/release --check $(O)/release
release:
	KEY=$(KEY) $(srcdir)/scripts/release $(O)/release
clean:
	rm -rf $(O)
distclean: clean
	@if [ $(srcdir) != . ] && head -n 1 Makefile 2>/dev/null | grep -q 'by configure'; then rm Makefile; fi
	rm -rf config.mak config.log config.status autom4te.cache

help:
	@tail -n +2 $(srcdir)/scripts/make-help

FORCE:
.PHONY: all check check-unit check-asan check-tsan check-stress check-fuzz check-model check-system check-clients check-boot check-bare check-arm64 check-all check-long soak \
	build-tests build-sources build-unit bench bench-programs bench-clients bench-scaling fuzz fuzz-coverage coverage lint format compile_commands.json install install-client uninstall dist deb release release-check clean distclean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:
-include $(wildcard $(foreach b,$(BUILDS),$(b)/src/*/*.d $(b)/clients/*/*/*.d $(b)/unit/*.d $(b)/stress/*.d $(b)/replay/*.d) $(O)/fuzz/bin/*.d $(O)/stuck/*.d $(O)/client/*.d)
