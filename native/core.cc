// The event loop's side of a device.
#include "core.h"

#include <sched.h>

#include <cerrno>
#include <cstdlib>

namespace portside {

namespace {
/** Batches per wake-up: after these the timers and the program have their turn. */
constexpr int MAX_ROUNDS = 4;
/** Poll errors in a row without an error from read: a device between two states of its removal. */
constexpr int MAX_EMPTY_ERRORS = 100;

napi_value valueOf(napi_env env, napi_ref ref) {
  napi_value value = nullptr;
  if (ref != nullptr) napi_get_reference_value(env, ref, &value);
  return value;
}

void dropRef(napi_env env, napi_ref& ref) {
  if (ref != nullptr) napi_delete_reference(env, ref);
  ref = nullptr;
}

uv_handle_t* asHandle(uv_poll_t* poll) { return reinterpret_cast<uv_handle_t*>(poll); }
uv_handle_t* asHandle(uv_idle_t* idle) { return reinterpret_cast<uv_handle_t*>(idle); }

/** With one processor whoever is to send the next packet does not run while we ask for it. */
bool hasOneProcessor() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) < 2;
}
}  // namespace

Failure Core::open(const OpenOptions& options) {
  uv_loop_s* loop = nullptr;
  if (napi_get_uv_event_loop(env_, &loop) != napi_ok) return fail(ENOSYS, "uv_poll_init");
  Failure f = device_.open(options);
  if (f) return f;
  uv_poll_t* poll = static_cast<uv_poll_t*>(std::calloc(1, uv_handle_size(UV_POLL)));
  if (poll == nullptr) return fail(ENOMEM, "uv_poll_init");
  const int err = uv_poll_init(loop, poll, device_.fd());
  if (err != 0) {
    std::free(poll);
    device_.close();
    return fail(-err, "uv_poll_init");
  }
  poll_ = poll;
  adopt(asHandle(poll_));
  uv_idle_t* idle = static_cast<uv_idle_t*>(std::calloc(1, uv_handle_size(UV_IDLE)));
  if (idle != nullptr && uv_idle_init(loop, idle) == 0) {
    idle_ = idle;
    adopt(asHandle(idle_));
  } else {
    std::free(idle);
  }
  napi_add_async_cleanup_hook(env_, onEnvironmentEnd, this, &hook_);
  return ok();
}

/** The handle is ours: it keeps this object until it is closed, and does not keep the loop. */
void Core::adopt(uv_handle_t* handle) {
  uv_handle_set_data(handle, new std::shared_ptr<Core>(shared_from_this()));
  uv_unref(handle);
  openHandles_++;
}

void Core::setBusyPoll(double us) { busy_.setLimit(hasOneProcessor() ? 0 : us); }

Failure Core::start(napi_value slab, napi_value meta, napi_value callback) {
  stop();
  napi_value name = nullptr;
  napi_create_string_utf8(env_, "portside.device", NAPI_AUTO_LENGTH, &name);
  napi_create_reference(env_, slab, 1, &slabRef_);
  napi_create_reference(env_, meta, 1, &metaRef_);
  napi_create_reference(env_, callback, 1, &callbackRef_);
  napi_async_init(env_, nullptr, name, &async_);
  const int err = uv_poll_start(poll_, UV_READABLE, onPoll);
  if (err != 0) {
    release();
    return fail(-err, "uv_poll_start");
  }
  polling_ = true;
  return ok();
}

void Core::stop() {
  if (polling_) uv_poll_stop(poll_);
  polling_ = false;
  spin(false);
  release();
}

void Core::release() {
  dropRef(env_, slabRef_);
  dropRef(env_, metaRef_);
  dropRef(env_, callbackRef_);
  if (async_ != nullptr) napi_async_destroy(env_, async_);
  async_ = nullptr;
}

void Core::close() {
  if (!isOpen()) return;
  closing_ = true;
  stop();
  uv_close(asHandle(poll_), onClosed);
  if (idle_ != nullptr) uv_close(asHandle(idle_), onClosed);
  device_.close();  // after the loop has forgotten the descriptor
}

void Core::onClosed(uv_handle_t* handle) {
  auto* holder = static_cast<std::shared_ptr<Core>*>(uv_handle_get_data(handle));
  const std::shared_ptr<Core> core = *holder;
  delete holder;
  std::free(handle);
  if (--core->openHandles_ > 0) return;
  if (core->hook_ != nullptr) napi_remove_async_cleanup_hook(core->hook_);
  core->hook_ = nullptr;
  core->poll_ = nullptr;
  core->idle_ = nullptr;
}

/** Removing the hook, in onClosed, is what lets the environment end. */
void Core::onEnvironmentEnd(napi_async_cleanup_hook_handle, void* core) {
  static_cast<Core*>(core)->close();
}

void Core::ref(bool on) {
  if (!isOpen()) return;
  if (on) {
    uv_ref(asHandle(poll_));
  } else {
    uv_unref(asHandle(poll_));
  }
}

Span Core::slab() {
  Span span;
  napi_value value = valueOf(env_, slabRef_);
  void* data = nullptr;
  if (value != nullptr && napi_get_arraybuffer_info(env_, value, &data, &span.len) == napi_ok) {
    span.data = static_cast<uint8_t*>(data);
  }
  if (span.data == nullptr) span.len = 0;
  return span;
}

int Core::flush(const int32_t* rows, int count, const std::vector<Span>& buffers) {
  TxBatch batch;
  batch.rows = rows;
  batch.count = count;
  batch.slab = slab();
  batch.buffers = buffers.data();
  batch.bufferCount = buffers.size();
  return writeBatch({device_.fd(), device_.headerSize(), device_.tap()}, batch, ring_, stats_);
}

void Core::onPoll(uv_poll_t* handle, int status, int) {
  auto* holder = static_cast<std::shared_ptr<Core>*>(
      uv_handle_get_data(reinterpret_cast<uv_handle_t*>(handle)));
  const std::shared_ptr<Core> core = *holder;  // outlives a close() inside the callback
  core->readable(status);
}

int Core::rounds() {
  int total = 0;
  for (int i = 0; i < MAX_ROUNDS; i++) {
    int count = 0;
    const bool more = round(count);
    total += count;
    if (!more) break;
  }
  return total;
}

void Core::spin(bool on) {
  if (on == spinning_ || idle_ == nullptr) return;
  spinning_ = on;
  if (on) {
    uv_idle_start(idle_, onIdle);
  } else {
    uv_idle_stop(idle_);
  }
}

/** Once in each round of the loop, which does not sleep meanwhile: others have their turn too. */
void Core::onIdle(uv_idle_t* handle) {
  auto* holder = static_cast<std::shared_ptr<Core>*>(uv_handle_get_data(asHandle(handle)));
  const std::shared_ptr<Core> core = *holder;
  const int count = core->polling_ ? core->rounds() : 0;
  core->stats_.rxPolled += count;
  if (count > 0) return;
  if (!core->polling_ || core->busy_.waitedEnough(monotonicUs())) core->spin(false);
}

void Core::readable(int status) {
  if (rounds() > 0 && polling_) spin(busy_.hot());
  if (status >= 0) {
    emptyErrors_ = 0;
    return;
  }
  // libuv has stopped the handle at EPOLLERR; what it was, the reads above have told.
  if (!polling_) return;
  if (++emptyErrors_ > MAX_EMPTY_ERRORS) {
    lost(ENODEV);
  } else if (uv_poll_start(poll_, UV_READABLE, onPoll) != 0) {
    lost(EBADF);
  }
}

bool Core::resolve(RxRegion& region, RxTable& table) {
  region.slab = slab();
  region.base = base_;
  region.size = size_;
  if (base_ + size_ > region.slab.len) return false;
  napi_value meta = valueOf(env_, metaRef_);
  napi_typedarray_type type;
  size_t len = 0;
  void* data = nullptr;
  if (meta == nullptr ||
      napi_get_typedarray_info(env_, meta, &type, &len, &data, nullptr, nullptr) != napi_ok) {
    return false;
  }
  table.rows = static_cast<int32_t*>(data);
  table.capacity = static_cast<int>(len / RX_STRIDE);
  return table.rows != nullptr && table.capacity > 0;
}

bool Core::round(int& count) {
  napi_handle_scope scope;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return false;
  RxRegion region;
  RxTable table;
  bool more = false;
  if (!resolve(region, table)) {
    lost(EFAULT);  // the program has detached the slab
  } else {
    const RxResult result =
        readBatch({device_.fd(), device_.headerSize(), device_.tap()}, region, table, ring_,
                  stats_);
    count = result.count;
    if (count > 0) {
      callBack(count);
      busy_.quiet(monotonicUs());
    }
    more = polling_ && judge(result);
  }
  napi_close_handle_scope(env_, scope);
  return more;
}

bool Core::judge(const RxResult& result) {
  const bool down = result.err == EIO || (result.err == ENETDOWN && device_.present());
  if (down) {  // the link is down; it may come up again
    stats_.rxErrors += 1;
    return false;
  }
  if (result.err != 0) {
    lost(result.err);
    return false;
  }
  return !result.drained;
}

void Core::lost(int err) {
  if (!polling_) return;
  uv_poll_stop(poll_);
  polling_ = false;
  spin(false);
  napi_handle_scope scope;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return;
  callBack(-err);
  napi_close_handle_scope(env_, scope);
}

void Core::callBack(int32_t count) {
  napi_value args[2];
  napi_value global = nullptr;
  napi_value callback = valueOf(env_, callbackRef_);
  if (callback == nullptr || napi_get_global(env_, &global) != napi_ok) return;
  const double nowUs = monotonicUs();
  if (count > 0) busy_.came(nowUs);
  napi_create_int32(env_, count, &args[0]);
  napi_create_double(env_, nowUs, &args[1]);
  napi_value result = nullptr;
  const napi_status status =
      napi_make_callback(env_, async_, global, callback, 2, args, &result);
  if (status == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(env_, &pending);
  if (!pending) return;
  napi_value exception = nullptr;
  if (napi_get_and_clear_last_exception(env_, &exception) == napi_ok) {
    napi_fatal_exception(env_, exception);
  }
}

}  // namespace portside
