noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	src/base/base64.c src/base/base64.h \
	src/base/buf.c src/base/buf.h \
	src/base/child.c src/base/child.h \
	src/base/clock.c src/base/clock.h \
	src/base/digest.c src/base/digest.h \
	src/base/curl_loop.c src/base/curl_loop.h \
	src/base/http_frame.c src/base/http_frame.h \
	src/base/httpd.c src/base/httpd.h \
	src/base/httpd_inside.h src/base/httpd_request.c \
	src/base/json.c src/base/json.h \
	src/base/log.c src/base/log.h \
	src/base/loop.c src/base/loop.h \
	src/base/mem.c src/base/mem.h \
	src/base/network.c src/base/network.h \
	src/base/pattern.c src/base/pattern.h \
	src/base/privs.c src/base/privs.h \
	src/base/secret.c src/base/secret.h \
	src/base/stream.c src/base/stream.h \
	src/base/strlist.c src/base/strlist.h \
	src/base/text.c src/base/text.h \
	src/base/tls.c src/base/tls.h src/base/tls_self.c src/base/tls_stream.c \
	src/base/ulid.c src/base/ulid.h \
	src/base/workers.c src/base/workers.h

base_test_libs = libbase.a $(CMOCKA_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/base/mem_test
TESTS += tests/unit/base/mem_test
tests_unit_base_mem_test_SOURCES = tests/unit/base/mem_test.c
tests_unit_base_mem_test_LDADD = $(base_test_libs)

check_PROGRAMS += tests/unit/base/base64_test
TESTS += tests/unit/base/base64_test
tests_unit_base_base64_test_SOURCES = tests/unit/base/base64_test.c
tests_unit_base_base64_test_LDADD = $(base_test_libs)

check_PROGRAMS += tests/unit/base/buf_test
TESTS += tests/unit/base/buf_test
tests_unit_base_buf_test_SOURCES = tests/unit/base/buf_test.c
tests_unit_base_buf_test_LDADD = $(base_test_libs)

check_PROGRAMS += tests/unit/base/strlist_test
TESTS += tests/unit/base/strlist_test
tests_unit_base_strlist_test_SOURCES = tests/unit/base/strlist_test.c
tests_unit_base_strlist_test_LDADD = $(base_test_libs)

check_PROGRAMS += tests/unit/base/text_test
TESTS += tests/unit/base/text_test
tests_unit_base_text_test_SOURCES = tests/unit/base/text_test.c
tests_unit_base_text_test_LDADD = $(base_test_libs)

check_PROGRAMS += tests/unit/base/json_test
TESTS += tests/unit/base/json_test
tests_unit_base_json_test_SOURCES = tests/unit/base/json_test.c
tests_unit_base_json_test_LDADD = $(base_test_libs) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/base/child_test
TESTS += tests/unit/base/child_test
tests_unit_base_child_test_SOURCES = tests/unit/base/child_test.c
tests_unit_base_child_test_LDADD = $(base_test_libs)

check_PROGRAMS += tests/unit/base/clock_test
TESTS += tests/unit/base/clock_test
tests_unit_base_clock_test_SOURCES = tests/unit/base/clock_test.c
tests_unit_base_clock_test_LDADD = $(base_test_libs)

check_PROGRAMS += tests/unit/base/log_test
TESTS += tests/unit/base/log_test
tests_unit_base_log_test_SOURCES = tests/unit/base/log_test.c
tests_unit_base_log_test_LDADD = $(base_test_libs) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/base/loop_test
TESTS += tests/unit/base/loop_test
tests_unit_base_loop_test_SOURCES = tests/unit/base/loop_test.c
tests_unit_base_loop_test_LDADD = $(base_test_libs)

check_PROGRAMS += tests/unit/base/stream_test
TESTS += tests/unit/base/stream_test
tests_unit_base_stream_test_SOURCES = tests/unit/base/stream_test.c
tests_unit_base_stream_test_LDADD = $(base_test_libs)

check_PROGRAMS += tests/unit/base/secret_test
TESTS += tests/unit/base/secret_test
tests_unit_base_secret_test_SOURCES = tests/unit/base/secret_test.c
tests_unit_base_secret_test_LDADD = $(base_test_libs)

check_PROGRAMS += tests/unit/base/privs_test
TESTS += tests/unit/base/privs_test
tests_unit_base_privs_test_SOURCES = tests/unit/base/privs_test.c
tests_unit_base_privs_test_LDADD = $(base_test_libs)

check_PROGRAMS += tests/unit/base/ulid_test
TESTS += tests/unit/base/ulid_test
tests_unit_base_ulid_test_SOURCES = tests/unit/base/ulid_test.c
tests_unit_base_ulid_test_LDADD = $(base_test_libs)

check_PROGRAMS += tests/unit/base/workers_test
TESTS += tests/unit/base/workers_test
tests_unit_base_workers_test_SOURCES = tests/unit/base/workers_test.c
tests_unit_base_workers_test_LDADD = $(base_test_libs)

check_PROGRAMS += tests/unit/base/http_frame_test
TESTS += tests/unit/base/http_frame_test
tests_unit_base_http_frame_test_SOURCES = tests/unit/base/http_frame_test.c
tests_unit_base_http_frame_test_LDADD = $(base_test_libs)

check_PROGRAMS += tests/unit/base/httpd_test
TESTS += tests/unit/base/httpd_test
tests_unit_base_httpd_test_SOURCES = tests/unit/base/httpd_test.c
tests_unit_base_httpd_test_LDADD = $(base_test_libs) $(TLS_LIBS)

check_PROGRAMS += tests/unit/base/digest_test
TESTS += tests/unit/base/digest_test
tests_unit_base_digest_test_SOURCES = tests/unit/base/digest_test.c
tests_unit_base_digest_test_LDADD = $(base_test_libs) $(TLS_LIBS)

check_PROGRAMS += tests/unit/base/network_test
TESTS += tests/unit/base/network_test
tests_unit_base_network_test_SOURCES = tests/unit/base/network_test.c
tests_unit_base_network_test_LDADD = $(base_test_libs)

check_PROGRAMS += tests/unit/base/pattern_test
TESTS += tests/unit/base/pattern_test
tests_unit_base_pattern_test_SOURCES = tests/unit/base/pattern_test.c
tests_unit_base_pattern_test_LDADD = $(base_test_libs) $(PCRE2_LIBS)
