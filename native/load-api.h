// The load generator as JavaScript calls it.
#pragma once

#include <napi.h>

namespace portside {

/** load(options): blocks until the time is over; throws what a system call refused. */
Napi::Value load(const Napi::CallbackInfo& info);

}  // namespace portside
