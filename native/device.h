// The JavaScript class `Device` over Core.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "core.h"

namespace portside {

class Device : public Napi::ObjectWrap<Device> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Device(const Napi::CallbackInfo& info);
  ~Device() override;

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value flush(const Napi::CallbackInfo& info);
  Napi::Value checksum(const Napi::CallbackInfo& info);
  Napi::Value stop(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value ref(const Napi::CallbackInfo& info);
  Napi::Value unref(const Napi::CallbackInfo& info);
  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value link(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value setLink(const Napi::CallbackInfo& info);
  Napi::Value address(const Napi::CallbackInfo& info);
  Napi::Value route(const Napi::CallbackInfo& info);

  bool isOpen(Napi::Env env);
  std::shared_ptr<Core> core_;
  /** Reused by every flush. */
  std::vector<Span> buffers_;
};

/** Throws the failure as an Error with code, errno and syscall. */
void throwFailure(Napi::Env env, const Failure& failure);

}  // namespace portside
