// Network namespaces by name, laid out as `ip netns` does: a bind mount at /run/netns/NAME.
// A thread of its own enters the namespace, opens what is wanted there and ends; no other thread of
// the process ever changes its namespace. What this process made it removes, and a marker in
// /run/portside tells the next start what a killed process has left behind.
#pragma once

#include <functional>
#include <string>

#include "failure.h"

namespace portside {

/** Letters, digits, '.', '_' and '-', at most 64, and not "." or "..". */
bool validNamespaceName(const std::string& name);

/**
 * Enters the namespace `name`, making it when there is none, and runs `work` inside. `made` says
 * whether this process made it: then `leaveNamespace` is owed once for every such call.
 * EBUSY: another living process made it.
 */
Failure inNamespace(const std::string& name, bool& made, const std::function<Failure()>& work);

/** Gives one hold back; the last one removes the namespace's name and the marker. */
void leaveNamespace(const std::string& name);

/** Runs `work` on a thread of its own inside the namespace that the descriptor stands for. */
Failure inNamespaceOf(int nsFd, const std::function<Failure()>& work);

}  // namespace portside
