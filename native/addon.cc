// What the addon exports: the class Device, the vectorised sum, the monotonic clock, and the load
// generator of `portside bench`.
#include <napi.h>
#include <sys/socket.h>

#include "blocks.h"
#include "checksum.h"
#include "device.h"
#include "load-api.h"
#include "pump.h"

namespace {

constexpr double MOST_INITIAL = 9007199254740991.0;  // 2^53 - 1

// sum(u8: Uint8Array, off, len, initial): `sum` of src/wire/checksum.ts, folded below 2^17.
// Plain N-API: called per packet, where a few tens of nanoseconds count.
napi_value sum(napi_env env, napi_callback_info info) {
  napi_value args[4];
  size_t count = 4;
  napi_typedarray_type type = napi_int32_array;
  size_t size = 0;
  void* data = nullptr;
  int64_t off = -1;
  int64_t len = -1;
  double initial = 0;
  if (napi_get_cb_info(env, info, &count, args, nullptr, nullptr) != napi_ok || count < 4 ||
      napi_get_typedarray_info(env, args[0], &type, &size, &data, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array || napi_get_value_int64(env, args[1], &off) != napi_ok ||
      napi_get_value_int64(env, args[2], &len) != napi_ok ||
      napi_get_value_double(env, args[3], &initial) != napi_ok || !(initial >= 0) ||
      initial > MOST_INITIAL) {
    napi_throw_type_error(env, nullptr, "sum(u8: Uint8Array, off, len, initial)");
    return nullptr;
  }
  const int64_t end = static_cast<int64_t>(size);
  if (off < 0 || len < 0 || off > end || len > end - off) {
    napi_throw_range_error(env, nullptr, "sum: outside of the array");
    return nullptr;
  }
  uint32_t total = portside::fold16(static_cast<uint64_t>(initial));
  if (len > 0) {
    total += portside::sum16(static_cast<const uint8_t*>(data) + off, static_cast<size_t>(len));
  }
  napi_value result = nullptr;
  napi_create_uint32(env, total, &result);
  return result;
}

napi_value nowUs(napi_env env, napi_callback_info) {
  napi_value result = nullptr;
  napi_create_double(env, portside::monotonicUs(), &result);
  return result;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  napi_value f = nullptr;
  napi_create_function(env, "sum", NAPI_AUTO_LENGTH, sum, nullptr, &f);
  exports.Set("sum", f);
  napi_create_function(env, "nowUs", NAPI_AUTO_LENGTH, nowUs, nullptr, &f);
  exports.Set("nowUs", f);
  napi_create_function(env, "block", NAPI_AUTO_LENGTH, portside::takeBlock, nullptr, &f);
  exports.Set("block", f);
  exports.Set("sumVariant", portside::sumVariant());
  exports.Set("rxRoom", Napi::Number::New(env, portside::RX_ROOM));
  exports.Set("rxStride", Napi::Number::New(env, portside::RX_STRIDE));
  exports.Set("txStride", Napi::Number::New(env, portside::TX_STRIDE));
  exports.Set("maxPieces", Napi::Number::New(env, portside::MAX_PIECES));
  exports.Set("load", Napi::Function::New(env, portside::load, "load"));
  exports.Set("Device", portside::Device::define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(portside, init)
