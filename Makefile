# Cairn's build. `make help` lists the targets; `V=1` shows the commands.
#   SAN=address,undefined | SAN=thread   sanitizer build in a folder of its own
#   WERROR=1                             warnings are errors (CI)
#   NODEPS=1                             do not look for missing Debian packages
SHELL := /bin/bash
CC ?= gcc
comma := ,
VARIANT := $(if $(SAN),san-$(subst $(comma),-,$(SAN)),release)
B ?= build/$(VARIANT)
PREFIX ?= /usr/local
Q := $(if $(V),,@)

FOLDERS := common proto rpc client webhdfs namenode datanode scheduler fuse main
PROTOS := $(wildcard proto/*/*.proto)
GEN_C := $(PROTOS:proto/%.proto=$(B)/gen/%.pb-c.c)
GEN_O := $(GEN_C:.c=.o)
SRC := $(shell find $(wildcard $(FOLDERS)) -name '*.c' | sort)
OBJ := $(SRC:%.c=$(B)/%.o)
MAIN_O := $(B)/main/cairn.o
NOT_CLIENT := $(addprefix common/,http.o http_page.o http_servlets.o http_stream.o jmx.o daemon.o metrics.o loop.o pool.o \
                proxy_users.o user_groups.o) \
              $(addprefix rpc/,call.o connection.o handshake.o input_bound.o local_call.o java_names.o jmx.o meta.o \
                reconfigure.o registry.o retry_cache.o rpc_server.o sasl_login.o)
# What a program that loads libhdfs gets: the client and what it stands on, nothing of the daemons.
CLIENT_O := $(filter-out $(addprefix $(B)/,$(NOT_CLIENT)),\
              $(filter $(B)/common/% $(B)/proto/% $(B)/rpc/% $(B)/client/lib/%,$(OBJ))) $(GEN_O)

PKGS := fuse3 libprotobuf-c libmicrohttpd expat jansson libisal libxxhash zlib nettle libgsasl liblz4 libzstd libarchive
CPPFLAGS += -I. -Iclient/include -I$(B)/gen -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DFUSE_USE_VERSION=312 \
            $(shell pkg-config --cflags $(PKGS) 2>/dev/null; pkg-config --cflags libpq 2>/dev/null)
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
        -Wformat=2 -Wno-unused-parameter -Wno-missing-field-initializers $(if $(WERROR),-Werror)
CFLAGS += -std=gnu17 $(if $(SAN),-O1 -g,-O2 -g) -fPIC -fvisibility=hidden -fno-omit-frame-pointer \
          -fstack-protector-strong $(WARN) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
LDFLAGS += -pthread $(if $(SAN),-fsanitize=$(SAN)) -Wl,-z,relro,-z,now
LDLIBS += $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lleveldb -lbz2 -lsnappy -ldl -lm -lrt

# Reports about libraries, each with its reason; the tests of clusters set their own options (tests/lib/sanitizer.py).
export TSAN_OPTIONS ?= suppressions=$(abspath tools/tsan.supp)

TESTS := $(shell find tests/unit -name '*_test.c' 2>/dev/null | sort)
TEST_BIN := $(TESTS:%.c=$(B)/%)

.PHONY: all demo check interop posix soak test unit bench fuzz fmt lint help install clean check-deps test-packages
.DELETE_ON_ERROR:
.SECONDARY:

EXAMPLE_GEN := $(B)/examples/gen

PROGRAMS := $(patsubst %.c,$(B)/%.so,$(wildcard examples/programs/*.c))

all: $(B)/cairn $(B)/libhdfs.so.0.0.0 $(EXAMPLE_GEN) $(PROGRAMS)

# Missing Debian packages are installed (or named) before anything else: make builds an included file first and then
# starts again, so that pkg-config is asked once they are there.
ifeq ($(NODEPS)$(filter help clean,$(MAKECMDGOALS)),)
include build/packages.mk
build/packages.mk: tools/deps
	$(Q)tools/deps build $(if $(filter check test unit,$(MAKECMDGOALS)),test)
	$(Q)mkdir -p build && touch $@
endif

$(B)/cairn: $(OBJ) $(GEN_O)
	$(Q)echo "  LD    $@"; $(CC) $(LDFLAGS) -o $@ $(OBJ) $(GEN_O) $(LDLIBS)
$(B)/libcairn-test.a: $(filter-out $(MAIN_O),$(OBJ)) $(GEN_O)
	$(Q)rm -f $@; ar rcs $@ $^
$(B)/libhdfs.so.0.0.0: $(CLIENT_O)
	$(Q)echo "  LD    $@"; $(CC) $(LDFLAGS) -shared $(if $(SAN),,-Wl$(comma)-z$(comma)defs) -Wl,-soname,libhdfs.so.0.0.0 -o $@ $(CLIENT_O) \
	    $(shell pkg-config --libs libprotobuf-c expat jansson libisal libxxhash zlib 2>/dev/null) -lm
	$(Q)ln -sf libhdfs.so.0.0.0 $(B)/libhdfs.so

$(B)/gen/%.pb-c.c $(B)/gen/%.pb-c.h: proto/%.proto
	$(Q)mkdir -p $(B)/gen; protoc-c --c_out=$(B)/gen -Iproto $<
$(B)/gen/%.o: $(B)/gen/%.c | $(GEN_C)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -w -MMD -MP -c -o $@ $<
$(B)/%.o: %.c | $(GEN_C)
	$(Q)mkdir -p $(@D); $(if $(V),,echo "  CC    $<";) $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(B)/tests/unit/%: tests/unit/%.c $(B)/libcairn-test.a
	$(Q)mkdir -p $(@D); $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(B)/libcairn-test.a -lcmocka $(LDLIBS)

# The data generator stands alone, as its users' programs do: no code of ours in it.
$(EXAMPLE_GEN): $(wildcard examples/gen/*.c examples/gen/*.h)
	$(Q)mkdir -p $(@D); $(CC) -O2 -std=gnu17 $(WARN) -o $@ $(filter %.c,$^)

# So do Map/Reduce programs: one header, nothing to link.
$(B)/examples/programs/%.so: examples/programs/%.c $(wildcard examples/programs/*.h) scheduler/include/cairn/mapreduce.h
	$(Q)mkdir -p $(@D); $(CC) -O2 -std=gnu17 $(WARN) -Ischeduler/include -shared -fPIC -o $@ $< -lm

# What tests of clusters drive, where no command of ours does it.
TEST_TOOLS := $(patsubst %.c,$(B)/%,$(wildcard tests/tools/*.c))
$(B)/tests/tools/%: tests/tools/%.c $(B)/libcairn-test.a
	$(Q)mkdir -p $(@D); $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(B)/libcairn-test.a $(LDLIBS)
# So do the programs that test a file system, whichever it is. The same for every
# variant, without a sanitizer: one of them is preloaded.
POSIX_TOOLS := $(addprefix build/posix/,conformance exerciser faults.so)
POSIX_CC = $(Q)mkdir -p $(@D); $(CC) -O2 -g -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(WARN) -o $@
.PHONY: posix-tools
posix-tools: $(POSIX_TOOLS)
build/posix/conformance: $(wildcard tests/posix/conformance/*.[ch])
	$(POSIX_CC) $(filter %.c,$^)
build/posix/exerciser: $(wildcard tests/posix/exerciser/*.[ch])
	$(POSIX_CC) $(filter %.c,$^)
build/posix/faults.so: tests/posix/faults/faults.c
	$(POSIX_CC) -shared -fPIC $< -ldl

$(B)/tests/bench/%: tests/bench/%.c $(B)/libcairn-test.a
	$(Q)mkdir -p $(@D); $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(B)/libcairn-test.a $(LDLIBS)

-include $(OBJ:.o=.d) $(GEN_O:.o=.d) $(TEST_BIN:=.d)

unit: $(TEST_BIN)          ## unit tests only (cmocka)
	$(Q)fail=0; for t in $(TEST_BIN); do $$t >$(B)/unit.log 2>&1 || { cat $(B)/unit.log; echo "FAILED $$t"; fail=1; }; \
	    tail -n 1 $(B)/unit.log | sed "s|^|$$t: |"; done; exit $$fail

# A sanitizer's libhdfs.so can be loaded into a Python that began with the sanitizer's runtime. What Python itself keeps
# until its end (connections of tests too, with their threads) is no leak of the library's.
PRELOAD := $(if $(SAN),ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=$(TSAN_OPTIONS):report_thread_leaks=0 LD_PRELOAD=$$($(CC) -print-file-name=lib$(if $(findstring thread,$(SAN)),tsan,asan).so))
PYTEST := $(PRELOAD) PYTHONDONTWRITEBYTECODE=1 CAIRN=$(abspath $(B)/cairn) /usr/bin/python3 -m pytest -q -o cache_dir=$(abspath $(B))/pytest
# Most of a cluster's test is waiting, so several run side by side, whole files of them. A sanitizer's reports are told to
# the one test that runs.
JOBS ?= $(shell nproc)
# A process that a test made end is not replaced: the next one would be given the same test.
SIDE_BY_SIDE := $(if $(SAN),,-n $(JOBS) --dist loadfile --max-worker-restart 0)
# Others' servers and suites count on the pace of the machine: what fails beside them is tried once more, and both are shown.
with_second_try = $(PYTEST) $(SIDE_BY_SIDE) $(1) || { [ $$? = 1 ] && echo "--- what failed, a second time:" && $(PYTEST) --last-failed --last-failed-no-failures none $(1); }

test: all unit $(TEST_TOOLS) ## unit tests and whole clusters (a few minutes)
	$(Q)$(PYTEST) $(SIDE_BY_SIDE) tests/cluster

check: test-packages all posix-tools check-deps unit $(TEST_TOOLS) ## everything: unit, clusters, faults, foreign clients and servers
	$(Q)$(PYTEST) $(SIDE_BY_SIDE) tests/cluster tests/faults tests/compose tests/posix
	$(Q)$(call with_second_try,tests/interop)

interop: test-packages all ## the long suites of others: Hadoop's own tests and tools, Spark, YARN
	$(Q)$(call with_second_try,tests/long)

posix: test-packages all posix-tools ## file systems at length: a million operations, fio, stress-ng, pjdfstest, Spark, kills
	$(Q)CAIRN_KILLS=1 CAIRN_ROUNDS=10 CAIRN_FILES=100000 $(PYTEST) tests/posix tests/posix_long

soak: test-packages all    ## writers whose datanodes are killed over and over, ours and Java's
	$(Q)$(PYTEST) tests/soak

test-packages:
	$(Q)$(if $(NODEPS),true,tools/deps build test posix interop container)

check-deps:                ## dependencies between folders point one way; docs/compatibility.md has every method
	$(Q)tools/check-deps
	$(Q)tools/compatibility --check

demo:                      ## a cluster, a data set, a mount and three jobs, with a summary
	$(Q)$(if $(NODEPS),true,tools/deps build test)
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tools/demo $(B)/cairn

bench: all                 ## ratios beside cp, Apache Hadoop, Spark, MooseFS and GNU tools; SECTIONS="mount ..." chooses, RECORD=1 writes docs/benchmarks.md
	$(Q)$(if $(NODEPS),true,tools/deps build test interop bench)
	$(Q)CAIRN=$(abspath $(B)/cairn) /usr/bin/python3 tests/bench/bench.py $(if $(RECORD),--record) $(if $(SMOKE),--smoke) $(SECTIONS)

# Corpora stay in build/fuzz/corpus, so a later run goes on where this one ended; it begins with what tests/fuzz/corpus has.
FUZZ_SECONDS ?= 20
FUZZ_SRC := $(wildcard tests/fuzz/*_fuzz.c)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=build/fuzz/%)
fuzz:                      ## each fuzz target for FUZZ_SECONDS (clang, libFuzzer, ASan, UBSan)
	$(Q)$(if $(NODEPS),true,tools/deps build lint)
	$(Q)$(MAKE) --no-print-directory CC=clang-14 SAN=fuzzer-no-link,address,undefined B=build/fuzz $(FUZZ_BIN)
	$(Q)for f in $(FUZZ_BIN); do corpus=build/fuzz/corpus/$$(basename $$f); mkdir -p $$corpus; \
	    name=$$(basename $$f _fuzz); kept=$$(ls -d tests/fuzz/corpus/$$name 2>/dev/null); \
	    [ -z "$$kept" ] || cp -n $$kept/* $$corpus/; \
	    $$f -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -timeout=20 -max_len=65536 -artifact_prefix=$$f- $$corpus \
	        >$$f.log 2>&1 || { tail -n 60 $$f.log; echo "FAILED $$f"; exit 1; }; \
	    echo "$$f: $$(grep -E '^#[0-9]+.*DONE' $$f.log)"; done
build/fuzz/%: tests/fuzz/%.c build/fuzz/libcairn-test.a
	$(Q)echo "  FUZZ  $@"; $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -fsanitize=fuzzer,address,undefined -o $@ $< \
	    build/fuzz/libcairn-test.a $(LDLIBS) -pthread

fmt:                       ## clang-format over our C
	$(Q)tools/deps lint && clang-format-14 -i $$(git ls-files '*.c' '*.h')

lint:                      ## clang-tidy and cppcheck
	$(Q)tools/deps lint && tools/lint $(B)

install: all               ## to PREFIX (default /usr/local), DESTDIR honoured
	$(Q)install -D -m 755 $(B)/cairn $(DESTDIR)$(PREFIX)/bin/cairn
	$(Q)install -D -m 755 $(B)/libhdfs.so.0.0.0 $(DESTDIR)$(PREFIX)/lib/libhdfs.so.0.0.0
	$(Q)ln -sf libhdfs.so.0.0.0 $(DESTDIR)$(PREFIX)/lib/libhdfs.so
	$(Q)install -D -m 644 scheduler/python/cairn_job.py $(DESTDIR)$(PREFIX)/share/cairn/python/cairn_job.py
	$(Q)install -D -m 644 scheduler/include/cairn/mapreduce.h $(DESTDIR)$(PREFIX)/include/cairn/mapreduce.h
	$(Q)install -D -m 644 client/include/hdfs.h $(DESTDIR)$(PREFIX)/include/cairn/hdfs.h
	$(Q)mkdir -p $(DESTDIR)/sbin && ln -sf $(PREFIX)/bin/cairn $(DESTDIR)/sbin/mount.fuse.cairn || \
	    echo "mount -t fuse.cairn needs /sbin/mount.fuse.cairn -> $(PREFIX)/bin/cairn, which only root can make"

clean:                     ## remove every build folder
	$(Q)rm -rf build

help:                      ## this list
	$(Q)grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14
