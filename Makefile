# SPDX-License-Identifier: Apache-2.0
# Works alone: `make`. `./configure` is optional and writes config.mak only.
O ?= build
CC ?= cc
AR ?= ar
PKG_CONFIG ?= pkg-config
-include config.mak

VERSION := $(shell cat VERSION)
PACKAGES := libmicrohttpd yaml-0.1 jansson libsystemd liburcu liburcu-cds
CFLAGS ?= -O2 -g
VE_CFLAGS := -std=gnu11 -D_GNU_SOURCE -Isrc -I$(O)/gen -Wall -Wextra -Werror -Wshadow -Wvla -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wformat=2 -Wundef -fno-common -pthread \
	$(shell $(PKG_CONFIG) --cflags $(PACKAGES))
VE_LDLIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES)) -lm -pthread

MAINS := src/daemon/main.c src/emit/main.c
LIB_SRC := $(filter-out $(MAINS),$(wildcard src/*/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(O)/%.o) $(O)/gen/builtin.o
UNIT := $(patsubst tests/unit/test_%.c,$(O)/unit/test_%,$(wildcard tests/unit/test_*.c))

all: $(O)/virtrigaud-exporter $(O)/virtrigaud-emit

$(O)/virtrigaud-exporter: $(O)/src/daemon/main.o $(O)/libve.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(VE_LDLIBS)
$(O)/virtrigaud-emit: $(O)/src/emit/main.o $(O)/libve.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(VE_LDLIBS)
$(O)/libve.a: $(LIB_OBJ)
	rm -f $@ && $(AR) rcs $@ $^
$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(VE_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(O)/gen/builtin.c: conf/catalog.yaml scripts/embed
	@mkdir -p $(@D)
	scripts/embed catalog_builtin $< > $@
$(O)/gen/builtin.o: $(O)/gen/builtin.c
	$(CC) $(VE_CFLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(O)/unit/%: tests/unit/%.c $(O)/libve.a
	@mkdir -p $(@D)
	$(CC) $(VE_CFLAGS) -Itests/unit $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(O)/libve.a $(shell $(PKG_CONFIG) --libs check) $(VE_LDLIBS)

check: $(UNIT)
	@for t in $(UNIT); do $$t || exit 1; done

clean:
	rm -rf $(O)

.PHONY: all check clean
-include $(LIB_OBJ:.o=.d) $(UNIT:=.d) $(O)/src/daemon/main.d $(O)/src/emit/main.d
