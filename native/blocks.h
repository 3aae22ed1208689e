// Memory for what programs read: blocks of 64 KiB that come back when the garbage collector has
// found the last view of them gone. Fresh memory is what a delivery costs, not the copy: malloc
// gives what the collector frees back to the system, and each page is faulted in anew.
#pragma once

#include <node_api.h>

namespace portside {

constexpr size_t BLOCK_OCTETS = 65536;
/** Blocks that are kept for later use; what comes back beyond them is freed. */
constexpr size_t MOST_FREE_BLOCKS = 1024;

/** block(): an ArrayBuffer over a block with whatever lies in it; undefined: there is no memory. */
napi_value takeBlock(napi_env env, napi_callback_info info);

}  // namespace portside
