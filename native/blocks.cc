// One pool for the process: blocks come from the heap once and are used again and again. Workers
// share it, and finalizers may run at an environment's end.
#include "blocks.h"

#include <cstdlib>
#include <mutex>

namespace portside {

namespace {
struct Pool {
  std::mutex mutex;
  size_t count = 0;
  void* free[MOST_FREE_BLOCKS];
};

/** Never destroyed: buffers may be collected while the process ends. */
Pool& pool() {
  static Pool* const one = new Pool;
  return *one;
}

void* take() {
  Pool& p = pool();
  {
    const std::lock_guard<std::mutex> hold(p.mutex);
    if (p.count > 0) return p.free[--p.count];
  }
  return std::malloc(BLOCK_OCTETS);
}

void giveBack(napi_env, void* block, void*) {
  Pool& p = pool();
  {
    const std::lock_guard<std::mutex> hold(p.mutex);
    if (p.count < MOST_FREE_BLOCKS) {
      p.free[p.count++] = block;
      return;
    }
  }
  std::free(block);
}
}  // namespace

napi_value takeBlock(napi_env env, napi_callback_info) {
  void* block = take();
  napi_value result = nullptr;
  if (block == nullptr) return nullptr;
  // Refused where V8 lives in a sandbox: then there are no blocks.
  if (napi_create_external_arraybuffer(env, block, BLOCK_OCTETS, giveBack, nullptr, &result) ==
      napi_ok) {
    return result;
  }
  giveBack(env, block, nullptr);
  return nullptr;
}

}  // namespace portside
