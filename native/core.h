// One open device inside one event loop: the poll handle, the references into JavaScript, and the
// order in which all of it ends. Lives until its poll handle is closed, whoever closes it: the
// program, the garbage collector, or the end of the environment (a worker that is terminated).
#pragma once

#include <node_api.h>

#include <memory>
#include <vector>

#include "busy-poll.h"
#include "failure.h"
#include "pump.h"
#include "tuntap.h"
#include "uv_min.h"

namespace portside {

class Core : public std::enable_shared_from_this<Core> {
 public:
  explicit Core(napi_env env) : env_(env) {}
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  Failure open(const OpenOptions& options);
  bool isOpen() const { return poll_ != nullptr && !closing_; }

  /** Registers memory and callback and begins to poll. The values have been checked. */
  Failure start(napi_value slab, napi_value meta, napi_value callback);
  void setRegion(size_t base, size_t size) {
    base_ = base;
    size_ = size;
  }
  /**
   * How long after its last packet the loop goes on asking instead of sleeping, µs; 0 = not at all.
   * Only while packets have come that close behind one another (busy-poll.h).
   */
  void setBusyPoll(double us);
  /** Whether it goes on asking at present. */
  bool spinning() const { return spinning_; }
  void stop();
  void close();
  void ref(bool on);

  /** The registered slab's memory now; empty when there is none or it was detached. */
  Span slab();
  int flush(const int32_t* rows, int count, const std::vector<Span>& buffers);

  Tuntap& device() { return device_; }
  const Stats& stats() const { return stats_; }

 private:
  static void onPoll(uv_poll_t* handle, int status, int events);
  static void onIdle(uv_idle_t* handle);
  static void onClosed(uv_handle_t* handle);
  static void onEnvironmentEnd(napi_async_cleanup_hook_handle handle, void* core);

  void adopt(uv_handle_t* handle);
  void readable(int status);
  /** Rounds until there is nothing left, at most MAX_ROUNDS; how many packets came. */
  int rounds();
  /** False: the callback has stopped or closed the device, or there is nothing left to do. */
  bool round(int& count);
  /** Keeps asking, or lets the loop sleep. */
  void spin(bool on);
  bool judge(const RxResult& result);
  void callBack(int32_t count);
  void lost(int err);
  bool resolve(RxRegion& region, RxTable& table);
  void release();

  napi_env env_;
  Tuntap device_;
  Stats stats_;
  Uring ring_;
  BusyPoll busy_;
  uv_poll_t* poll_ = nullptr;
  uv_idle_t* idle_ = nullptr;
  bool spinning_ = false;
  int openHandles_ = 0;
  bool polling_ = false;
  bool closing_ = false;
  int emptyErrors_ = 0;
  size_t base_ = 0;
  size_t size_ = 0;
  napi_ref slabRef_ = nullptr;
  napi_ref metaRef_ = nullptr;
  napi_ref callbackRef_ = nullptr;
  napi_async_context async_ = nullptr;
  napi_async_cleanup_hook_handle hook_ = nullptr;
};

}  // namespace portside
