// Instead of the host's, which is for glibc.
#define _GLIBCXX_NATIVE_THREAD_ID 0
