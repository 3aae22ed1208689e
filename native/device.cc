// Arguments in, numbers and plain objects out; every misuse is a TypeError or RangeError.
#include "device.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "checksum.h"

namespace portside {

namespace {
using Napi::CallbackInfo;
using Napi::Number;
using Napi::Object;

/** An exception of the program's own (a getter, a proxy) goes before ours. */
Napi::Value refuse(Napi::Env env, const char* what) {
  if (env.IsExceptionPending()) return env.Undefined();
  Napi::TypeError::New(env, what).ThrowAsJavaScriptException();
  return env.Undefined();
}

std::string textOf(const Object& from, const char* key) {
  const Napi::Value v = from.Get(key);
  return v.IsString() ? v.As<Napi::String>().Utf8Value() : std::string();
}

bool flagOf(const Object& from, const char* key, bool otherwise) {
  const Napi::Value v = from.Get(key);
  return v.IsBoolean() ? v.As<Napi::Boolean>().Value() : otherwise;
}

OpenOptions readOptions(const Object& from) {
  OpenOptions o;
  o.name = textOf(from, "name");
  o.netns = textOf(from, "netns");
  o.tap = flagOf(from, "tap", false);
  o.vnetHdr = flagOf(from, "vnetHdr", true);
  o.packet = flagOf(from, "packet", false);
  o.promiscuous = flagOf(from, "promiscuous", false);
  o.mac = textOf(from, "mac");
  o.multiQueue = flagOf(from, "multiQueue", false);
  const Napi::Value offloads = from.Get("offloads");
  if (offloads.IsNumber()) o.offloads = offloads.As<Number>().Uint32Value();
  const Napi::Value fd = from.Get("fd");
  if (fd.IsNumber()) o.fd = fd.As<Number>().Int32Value();
  return o;
}

/** Reads an address that may be absent; false when it is there and wrong. */
bool addressOf(const Napi::Value& v, InetAddress& out) {
  if (v.IsUndefined() || v.IsNull()) return true;
  return v.IsString() && parseAddress(v.As<Napi::String>().Utf8Value(), out);
}

double numberOf(const Napi::Value& v, double otherwise) {
  return v.IsNumber() ? v.As<Number>().DoubleValue() : otherwise;
}

int prefixOf(const Napi::Value& v) {
  return v.IsNumber() ? v.As<Number>().Int32Value() : -1;
}

bool prefixFits(int prefix, const InetAddress& a) {
  return prefix >= 0 && prefix <= (a.family == AF_INET ? 32 : 128);
}
}  // namespace

void throwFailure(Napi::Env env, const Failure& f) {
  if (env.IsExceptionPending()) return;
  std::string message = f.syscall + " " + errnoName(f.err) + ": " + std::strerror(f.err);
  if (!f.detail.empty()) message += " (" + f.detail + ")";
  Object error = Napi::Error::New(env, message).Value();
  error.Set("code", errnoName(f.err));
  error.Set("errno", Number::New(env, -f.err));
  error.Set("syscall", f.syscall);
  error.Set("detail", f.detail);
  napi_throw(env, error);
}

Napi::Function Device::define(Napi::Env env) {
  return DefineClass(env, "Device",
                     {
                         InstanceMethod<&Device::start>("start"),
                         InstanceMethod<&Device::flush>("flush"),
                         InstanceMethod<&Device::checksum>("checksum"),
                         InstanceMethod<&Device::stop>("stop"),
                         InstanceMethod<&Device::close>("close"),
                         InstanceMethod<&Device::ref>("ref"),
                         InstanceMethod<&Device::unref>("unref"),
                         InstanceMethod<&Device::info>("info"),
                         InstanceMethod<&Device::link>("link"),
                         InstanceMethod<&Device::stats>("stats"),
                         InstanceMethod<&Device::setLink>("setLink"),
                         InstanceMethod<&Device::address>("address"),
                         InstanceMethod<&Device::route>("route"),
                     });
}

Device::Device(const CallbackInfo& info) : Napi::ObjectWrap<Device>(info) {
  core_ = std::make_shared<Core>(info.Env());
  if (!info[0].IsObject()) {
    refuse(info.Env(), "Device wants an object of options");
    return;
  }
  const OpenOptions options = readOptions(info[0].As<Object>());
  if (info.Env().IsExceptionPending()) return;
  if (options.name.size() > 15) {
    throwFailure(info.Env(), fail(EINVAL, "TUNSETIFF", "a device name has at most 15 octets"));
    return;
  }
  core_->setBusyPoll(numberOf(info[0].As<Object>().Get("busyPollUs"), 0));
  const Failure f = core_->open(options);
  if (f) throwFailure(info.Env(), f);
}

Device::~Device() { core_->close(); }

bool Device::isOpen(Napi::Env env) {
  if (core_->isOpen()) return true;
  throwFailure(env, fail(EBADF, "device", "the device is closed"));
  return false;
}

// start(slab: ArrayBuffer, rxBase, rxSize, meta: Int32Array, callback(count, nowUs))
Napi::Value Device::start(const CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!isOpen(env)) return env.Undefined();
  if (!info[0].IsArrayBuffer() || !info[1].IsNumber() || !info[2].IsNumber() ||
      !info[3].IsTypedArray() || !info[4].IsFunction()) {
    return refuse(env, "start(slab: ArrayBuffer, rxBase, rxSize, meta: Int32Array, callback)");
  }
  const Napi::TypedArray meta = info[3].As<Napi::TypedArray>();
  if (meta.TypedArrayType() != napi_int32_array || meta.ElementLength() < RX_STRIDE) {
    return refuse(env, "meta must be an Int32Array of at least one row of 8");
  }
  const double slab = static_cast<double>(info[0].As<Napi::ArrayBuffer>().ByteLength());
  const double base = info[1].As<Number>().DoubleValue();
  const double size = info[2].As<Number>().DoubleValue();
  if (!(base >= 0) || !(size >= RX_ROOM) || !(base + size <= slab) || slab > 2147483647.0) {
    Napi::RangeError::New(env, "the receive region must lie in the slab (at most 2 GiB) and hold " +
                                   std::to_string(RX_ROOM) + " octets or more")
        .ThrowAsJavaScriptException();
    return env.Undefined();
  }
  core_->setRegion(static_cast<size_t>(base), static_cast<size_t>(size));
  const Failure f = core_->start(info[0], info[3], info[4]);
  if (f) throwFailure(env, f);
  return env.Undefined();
}

// flush(table: Int32Array, count, buffers: (Uint8Array | null)[], bufferCount): how many packets
// the kernel took. The array is longer than what is used of it, so that it is made once.
Napi::Value Device::flush(const CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!isOpen(env)) return env.Undefined();
  napi_typedarray_type type = napi_uint8_array;
  size_t len = 0;
  void* rows = nullptr;
  int32_t count = 0;
  uint32_t buffers = 0;
  if (napi_get_typedarray_info(env, info[0], &type, &len, &rows, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array || napi_get_value_int32(env, info[1], &count) != napi_ok ||
      napi_get_value_uint32(env, info[3], &buffers) != napi_ok) {
    return refuse(env, "flush(table: Int32Array, count, buffers: Uint8Array[], bufferCount)");
  }
  if (count < 0 || static_cast<size_t>(count) * TX_STRIDE > len) {
    return refuse(env, "flush: more rows than the table holds");
  }
  buffers_.clear();
  for (uint32_t i = 0; i < buffers; i++) {
    napi_value value = nullptr;
    Span span;
    void* data = nullptr;
    if (napi_get_element(env, info[2], i, &value) != napi_ok) {
      return refuse(env, "flush: buffers must be an array");
    }
    // The address counts the view's own offset already. A detached buffer has the length 0.
    if (napi_get_typedarray_info(env, value, &type, &span.len, &data, nullptr, nullptr) !=
            napi_ok ||
        (type != napi_uint8_array && type != napi_uint8_clamped_array)) {
      return refuse(env, "flush: a piece of payload must be a Uint8Array");
    }
    span.data = static_cast<uint8_t*>(data);
    if (data == nullptr) span.len = 0;
    buffers_.push_back(span);
  }
  return Number::New(env, core_->flush(static_cast<const int32_t*>(rows), count, buffers_));
}

// checksum(off, len, initial): over the registered slab
Napi::Value Device::checksum(const CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Span slab = core_->slab();
  const double off = numberOf(info[0], -1);
  const double len = numberOf(info[1], -1);
  const double initial = numberOf(info[2], 0);
  if (!(off >= 0) || !(len >= 0) || !(off + len <= static_cast<double>(slab.len)) ||
      !(initial >= 0) || initial > 9007199254740991.0) {
    Napi::RangeError::New(env, "checksum: outside of the slab").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  uint32_t s = fold16(static_cast<uint64_t>(initial));
  if (len > 0) s += sum16(slab.data + static_cast<size_t>(off), static_cast<size_t>(len));
  return Number::New(env, s);
}

Napi::Value Device::stop(const CallbackInfo& info) {
  core_->stop();
  return info.Env().Undefined();
}

Napi::Value Device::close(const CallbackInfo& info) {
  core_->close();
  return info.Env().Undefined();
}

Napi::Value Device::ref(const CallbackInfo& info) {
  core_->ref(true);
  return info.Env().Undefined();
}

Napi::Value Device::unref(const CallbackInfo& info) {
  core_->ref(false);
  return info.Env().Undefined();
}

Napi::Value Device::info(const CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Tuntap& d = core_->device();
  Object o = Object::New(env);
  o.Set("name", d.name());
  o.Set("netns", d.netns());
  o.Set("index", Number::New(env, d.index()));
  o.Set("tap", Napi::Boolean::New(env, d.tap()));
  o.Set("mac", d.mac());
  o.Set("created", Napi::Boolean::New(env, d.created()));
  o.Set("headerSize", Number::New(env, d.headerSize()));
  o.Set("offloads", Number::New(env, d.offloads()));
  return o;
}

Napi::Value Device::link(const CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!isOpen(env)) return env.Undefined();
  LinkInfo link;
  const Failure f = core_->device().link(link);
  if (f) {
    throwFailure(env, f);
    return env.Undefined();
  }
  Object o = Object::New(env);
  o.Set("index", Number::New(env, link.index));
  o.Set("mtu", Number::New(env, link.mtu));
  o.Set("flags", Number::New(env, link.flags));
  o.Set("txQueueLen", Number::New(env, link.txQueueLen));
  o.Set("name", link.name);
  return o;
}

Napi::Value Device::stats(const CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Stats& s = core_->stats();
  Object o = Object::New(env);
  o.Set("rxPackets", s.rxPackets);
  o.Set("rxOctets", s.rxOctets);
  o.Set("rxBatches", s.rxBatches);
  o.Set("rxErrors", s.rxErrors);
  o.Set("rxBadMeta", s.rxBadMeta);
  o.Set("txPackets", s.txPackets);
  o.Set("txOctets", s.txOctets);
  o.Set("txDropped", s.txDropped);
  o.Set("txFailed", s.txFailed);
  o.Set("txInvalid", s.txInvalid);
  o.Set("rxRinged", s.rxRinged);
  o.Set("rxPolled", s.rxPolled);
  o.Set("busyPolling", core_->spinning());
  o.Set("txRinged", s.txRinged);
  o.Set("lastTxErrno", -s.lastTxErrno + 0.0);
  return o;
}

// setLink({ up?, mtu?, txQueueLen? })
Napi::Value Device::setLink(const CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!isOpen(env)) return env.Undefined();
  if (!info[0].IsObject()) return refuse(env, "setLink({ up?, mtu?, txQueueLen? })");
  const Object o = info[0].As<Object>();
  const Napi::Value mtu = o.Get("mtu");
  const Napi::Value queue = o.Get("txQueueLen");
  const Napi::Value up = o.Get("up");
  if (env.IsExceptionPending()) return env.Undefined();
  Failure f;
  if (mtu.IsNumber()) f = core_->device().setMtu(mtu.As<Number>().Uint32Value());
  if (!f && queue.IsNumber()) {
    f = core_->device().setTxQueueLen(queue.As<Number>().Uint32Value());
  }
  if (!f && up.IsBoolean()) f = core_->device().setUp(up.As<Napi::Boolean>().Value());
  if (f) throwFailure(env, f);
  return env.Undefined();
}

// address(add: boolean, address, prefix, peer?)
Napi::Value Device::address(const CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!isOpen(env)) return env.Undefined();
  AddressSpec spec;
  const bool add = info[0].ToBoolean().Value();
  spec.prefix = prefixOf(info[2]);
  if (!addressOf(info[1], spec.local) || spec.local.family == 0 ||
      !addressOf(info[3], spec.peer) || !prefixFits(spec.prefix, spec.local) ||
      (spec.peer.family != 0 && spec.peer.family != spec.local.family)) {
    throwFailure(env, fail(EINVAL, add ? "RTM_NEWADDR" : "RTM_DELADDR", "not an address"));
    return env.Undefined();
  }
  Tuntap& d = core_->device();
  const Failure f = add ? d.addAddress(spec) : d.removeAddress(spec);
  if (f) throwFailure(env, f);
  return env.Undefined();
}

// route(add: boolean, dst, prefix, gateway?, src?, metric?)
Napi::Value Device::route(const CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!isOpen(env)) return env.Undefined();
  RouteSpec spec;
  const bool add = info[0].ToBoolean().Value();
  spec.prefix = prefixOf(info[2]);
  const auto agrees = [&spec](const InetAddress& a) {
    return a.family == 0 || a.family == spec.dst.family;
  };
  if (!addressOf(info[1], spec.dst) || spec.dst.family == 0 || !addressOf(info[3], spec.gateway) ||
      !addressOf(info[4], spec.src) || !prefixFits(spec.prefix, spec.dst) ||
      !agrees(spec.gateway) || !agrees(spec.src)) {
    throwFailure(env, fail(EINVAL, add ? "RTM_NEWROUTE" : "RTM_DELROUTE", "not a route"));
    return env.Undefined();
  }
  if (info[5].IsNumber()) spec.metric = info[5].As<Number>().Uint32Value();
  Tuntap& d = core_->device();
  const Failure f = add ? d.addRoute(spec) : d.removeRoute(spec);
  if (f) throwFailure(env, f);
  return env.Undefined();
}

}  // namespace portside
