noinst_LIBRARIES += libpostmark.a
libpostmark_a_SOURCES = \
	src/postmark/batch.c src/postmark/batch.h \
	src/postmark/client.c src/postmark/client.h \
	src/postmark/curl_loop.c src/postmark/curl_loop.h \
	src/postmark/message_id.c src/postmark/message_id.h \
	src/postmark/retry_after.c src/postmark/retry_after.h \
	src/postmark/search.c src/postmark/search.h \
	src/postmark/verdict.c src/postmark/verdict.h
