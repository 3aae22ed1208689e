// load({ mode, host, port, connections, size, seconds, warm }): arguments in, figures out.
#include "load-api.h"

#include "device.h"
#include "load.h"

namespace portside {

namespace {
constexpr int MOST_CONNECTIONS = 4096;
constexpr int MOST_SIZE = 65536;
constexpr double MOST_SECONDS = 3600;

double numberOf(const Napi::Object& from, const char* key, double otherwise) {
  const Napi::Value v = from.Get(key);
  return v.IsNumber() ? v.As<Napi::Number>().DoubleValue() : otherwise;
}

bool within(double value, double least, double most) { return value >= least && value <= most; }

/** False: something is missing or out of its bounds. */
bool read(const Napi::Object& from, LoadOptions& o) {
  const Napi::Value mode = from.Get("mode");
  const Napi::Value host = from.Get("host");
  if (!mode.IsString() || !host.IsString()) return false;
  o.mode = mode.As<Napi::String>().Utf8Value();
  if (!parseAddress(host.As<Napi::String>().Utf8Value(), o.host)) return false;
  const double port = numberOf(from, "port", 0);
  const double connections = numberOf(from, "connections", 1);
  const double size = numberOf(from, "size", 64);
  o.seconds = numberOf(from, "seconds", 2);
  o.warm = numberOf(from, "warm", 0.5);
  if (!within(port, 1, 65535) || !within(connections, 1, MOST_CONNECTIONS) ||
      !within(size, 1, MOST_SIZE) || !within(o.seconds, 0.001, MOST_SECONDS) ||
      !within(o.warm, 0, MOST_SECONDS)) {
    return false;
  }
  o.port = static_cast<int>(port);
  o.connections = static_cast<int>(connections);
  o.size = static_cast<int>(size);
  return true;
}
}  // namespace

Napi::Value load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  LoadOptions o;
  if (!info[0].IsObject() || !read(info[0].As<Napi::Object>(), o)) {
    if (!env.IsExceptionPending()) {
      Napi::TypeError::New(env, "load({ mode, host, port, connections, size, seconds, warm })")
          .ThrowAsJavaScriptException();
    }
    return env.Undefined();
  }
  const LoadResult r = runLoad(o);
  if (r.failure) {
    throwFailure(env, r.failure);
    return env.Undefined();
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("operations", r.operations);
  out.Set("octets", r.octets);
  out.Set("seconds", r.seconds);
  out.Set("failed", r.failed);
  out.Set("retransmits", r.retransmits);
  out.Set("cpuSeconds", r.cpuSeconds);
  out.Set("p50Us", r.latencies.quantileUs(0.5));
  out.Set("p90Us", r.latencies.quantileUs(0.9));
  out.Set("p99Us", r.latencies.quantileUs(0.99));
  return out;
}

}  // namespace portside
