// The few parts of libuv's 1.x ABI that the addon calls. Handles are sized by uv_handle_size at run
// time, so that no structure layout is compiled in.
#pragma once

#ifdef PORTSIDE_HAVE_UV_H
#include <uv.h>
static_assert(UV_POLL == 8 && UV_IDLE == 6 && UV_READABLE == 1, "libuv 1.x");
#else
#include <cstddef>

extern "C" {
struct uv_loop_s;
struct uv_handle_s;
struct uv_poll_s;
struct uv_idle_s;
typedef struct uv_loop_s uv_loop_t;
typedef struct uv_handle_s uv_handle_t;
typedef struct uv_poll_s uv_poll_t;
typedef struct uv_idle_s uv_idle_t;
typedef void (*uv_close_cb)(uv_handle_t* handle);
typedef void (*uv_poll_cb)(uv_poll_t* handle, int status, int events);
typedef void (*uv_idle_cb)(uv_idle_t* handle);
typedef enum { UV_IDLE = 6, UV_POLL = 8 } uv_handle_type;
enum { UV_READABLE = 1 };

size_t uv_handle_size(uv_handle_type type);
void uv_handle_set_data(uv_handle_t* handle, void* data);
void* uv_handle_get_data(const uv_handle_t* handle);
void uv_close(uv_handle_t* handle, uv_close_cb closed);
void uv_ref(uv_handle_t* handle);
void uv_unref(uv_handle_t* handle);
int uv_poll_init(uv_loop_t* loop, uv_poll_t* handle, int fd);
int uv_poll_start(uv_poll_t* handle, int events, uv_poll_cb called);
int uv_poll_stop(uv_poll_t* handle);
int uv_idle_init(uv_loop_t* loop, uv_idle_t* handle);
int uv_idle_start(uv_idle_t* handle, uv_idle_cb called);
int uv_idle_stop(uv_idle_t* handle);
}
#endif
