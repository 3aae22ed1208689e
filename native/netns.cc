// setns(2), unshare(2), and the marker files.
#include "netns.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "fd.h"
#include "netlink.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace portside {

namespace {

constexpr const char* NETNS_DIR = "/run/netns";
constexpr const char* MARKER_DIR = "/run/portside";

struct Marker {
  long pid = 0;
  unsigned long long start = 0;
  unsigned long long pidNamespace = 0;
  unsigned long long cookie = 0;
  unsigned long long inode = 0;
};

/** A namespace that this process has made. The open descriptor keeps its inode number taken. */
struct Made {
  int holds = 0;
  Fd ns;
  unsigned long long inode = 0;
};

std::mutex madeLock;
std::map<std::string, Made>& made() {
  static std::map<std::string, Made>* all = new std::map<std::string, Made>();
  return *all;
}

std::string netnsPath(const std::string& name) { return std::string(NETNS_DIR) + "/" + name; }
std::string markerPath(const std::string& name) {
  return std::string(MARKER_DIR) + "/" + name + ".json";
}

unsigned long long inodeOf(const char* path) {
  struct stat s = {};
  return ::stat(path, &s) == 0 ? s.st_ino : 0;
}

/** Start time in clock ticks since boot (proc(5), stat field 22); 0: no such process. */
unsigned long long startTime(long pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%ld/stat", pid);
  Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return 0;
  char line[1024];
  const ssize_t n = ::read(fd.get(), line, sizeof line - 1);
  if (n <= 0) return 0;
  line[n] = 0;
  const char* p = std::strrchr(line, ')');  // the name may hold anything, even spaces
  for (int field = 2; p != nullptr && field < 22; field++) p = std::strchr(p + 1, ' ');
  return p == nullptr ? 0 : std::strtoull(p + 1, nullptr, 10);
}

/** Never given to a second namespace while the machine runs; 0 before Linux 5.14. */
unsigned long long cookieHere() {
  Fd s(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  unsigned long long cookie = 0;
  socklen_t len = sizeof cookie;
  if (!s.valid() || ::getsockopt(s.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) != 0) {
    return 0;
  }
  return cookie;
}

unsigned long long numberAfter(const std::string& text, const char* key) {
  const size_t at = text.find(key);
  if (at == std::string::npos) return 0;
  return std::strtoull(text.c_str() + at + std::strlen(key), nullptr, 10);
}

bool readMarker(const std::string& name, Marker& m) {
  Fd fd(::open(markerPath(name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return false;
  char buffer[512];
  const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
  const std::string text(buffer, n > 0 ? static_cast<size_t>(n) : 0);
  m.pid = static_cast<long>(numberAfter(text, "\"pid\":"));
  m.start = numberAfter(text, "\"startTime\":");
  m.pidNamespace = numberAfter(text, "\"pidNamespace\":");
  m.cookie = numberAfter(text, "\"cookie\":\"");
  m.inode = numberAfter(text, "\"inode\":");
  return true;
}

Failure writeMarker(const std::string& name, const Marker& m) {
  const std::string path = markerPath(name);
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.valid()) return fail(errno, "open", path);
  char text[512];
  const int n = std::snprintf(
      text, sizeof text,
      "{\"pid\":%ld,\"startTime\":%llu,\"netns\":\"%s\",\"pidNamespace\":%llu,\"cookie\":\"%llu\","
      "\"inode\":%llu}\n",
      m.pid, m.start, name.c_str(), m.pidNamespace, m.cookie, m.inode);
  if (::write(fd.get(), text, static_cast<size_t>(n)) != n) {
    const int err = errno;
    ::unlink(path.c_str());
    return fail(err, "write", path);
  }
  return ok();
}

/** A process of another pid namespace cannot be seen from here, so it counts as living. */
bool living(const Marker& m) {
  if (m.pid == 0) return false;
  if (m.pidNamespace != 0 && m.pidNamespace != inodeOf("/proc/self/ns/pid")) return true;
  const unsigned long long start = startTime(m.pid);
  return start != 0 && start == m.start;
}

/** Serialises makers and removers of all processes; about two seconds of patience. */
Failure lockMarkers(Fd& lock) {
  // The control sockets of root's hosts lie here too, and want a folder that nobody else enters.
  if (::mkdir(MARKER_DIR, 0700) != 0 && errno != EEXIST) return fail(errno, "mkdir", MARKER_DIR);
  lock.reset(::open(MARKER_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.valid()) return fail(errno, "open", MARKER_DIR);
  if (::fchmod(lock.get(), 0700) != 0) return fail(errno, "fchmod", MARKER_DIR);
  for (int i = 0; i < 200; i++) {
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return ok();
    if (errno != EWOULDBLOCK && errno != EINTR) return fail(errno, "flock", MARKER_DIR);
    ::usleep(10000);
  }
  return fail(EBUSY, "flock", MARKER_DIR);
}

void removeName(const std::string& name) {
  const std::string path = netnsPath(name);
  ::umount2(path.c_str(), MNT_DETACH);
  ::unlink(path.c_str());
}

Failure makeDirectory() {
  if (::mkdir(NETNS_DIR, 0755) != 0 && errno != EEXIST) return fail(errno, "mkdir", NETNS_DIR);
  // Shared, so that names made and removed here do so in other mount namespaces too.
  if (::mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, nullptr) == 0) return ok();
  if (errno != EINVAL) return fail(errno, "mount", NETNS_DIR);
  if (::mount(NETNS_DIR, NETNS_DIR, "none", MS_BIND | MS_REC, nullptr) != 0 ||
      ::mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, nullptr) != 0) {
    return fail(errno, "mount", NETNS_DIR);
  }
  return ok();
}

Failure loopbackUp() {
  Netlink nl;
  Failure f = nl.open();
  LinkInfo lo;
  if (!f) f = nl.linkByName("lo", lo);
  if (!f) f = nl.setUp(lo.index, true);
  return f;
}

std::string ownNamespacePath() {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/task/%ld/ns/net", ::syscall(SYS_gettid));
  return path;
}

Failure bindName(const std::string& name) {
  const std::string path = netnsPath(name);
  Fd mountPoint(::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0));
  if (!mountPoint.valid()) return fail(errno, "open", path);
  if (::mount(ownNamespacePath().c_str(), path.c_str(), "none", MS_BIND, nullptr) != 0) {
    const int err = errno;
    ::unlink(path.c_str());
    return fail(err, "mount", path);
  }
  return ok();
}

/** The marker is written before the name appears: no moment leaves a name without its marker. */
Failure makeNamespace(const std::string& name, Made& entry) {
  Failure f = makeDirectory();
  if (f) return f;
  if (::unshare(CLONE_NEWNET) != 0) return fail(errno, "unshare", name);
  f = loopbackUp();
  if (f) return f;
  const std::string self = ownNamespacePath();
  Marker m;
  m.pid = ::getpid();
  m.start = startTime(m.pid);
  m.pidNamespace = inodeOf("/proc/self/ns/pid");
  m.cookie = cookieHere();
  m.inode = inodeOf(self.c_str());
  f = writeMarker(name, m);
  if (f) return f;
  f = bindName(name);
  if (f) {
    ::unlink(markerPath(name).c_str());
    return f;
  }
  entry.inode = m.inode;
  entry.ns.reset(::open(netnsPath(name).c_str(), O_RDONLY | O_CLOEXEC));
  return ok();
}

Failure enter(const std::string& path) {
  Fd ns(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!ns.valid()) return fail(errno, "open", path);
  if (::setns(ns.get(), CLONE_NEWNET) != 0) return fail(errno, "setns", path);
  return ok();
}

/** Whether the name still stands for the namespace in the marker, not for somebody's newer one. */
bool sameNamespace(const std::string& name, const Marker& m) {
  const std::string path = netnsPath(name);
  if (inodeOf(path.c_str()) != m.inode) return false;
  if (m.cookie == 0) return true;
  const std::string self = ownNamespacePath();
  Fd home(::open(self.c_str(), O_RDONLY | O_CLOEXEC));
  if (!home.valid() || enter(path)) return false;
  const bool same = cookieHere() == m.cookie;
  ::setns(home.get(), CLONE_NEWNET);
  return same;
}

/** A file without a mount on it: what is left when a maker dies between the two. */
bool emptyName(const std::string& name) {
  struct stat s = {};
  return ::stat(netnsPath(name).c_str(), &s) == 0 && S_ISREG(s.st_mode) && s.st_size == 0 &&
         s.st_nlink == 1 && (s.st_mode & 0777) == 0;
}

Failure reclaim(const std::string& name) {
  Marker m;
  if (!readMarker(name, m)) return ok();
  if (living(m)) {
    // A marker of our own that is not in the table was left by the program before an exec.
    if (m.pid != ::getpid()) {
      return fail(EBUSY, "setns", "made and held by process " + std::to_string(m.pid));
    }
  }
  if (sameNamespace(name, m) || emptyName(name)) removeName(name);
  ::unlink(markerPath(name).c_str());
  return ok();
}

/** On the thread: claims or makes the namespace and ends inside it. */
Failure claim(const std::string& name, bool& owned) {
  std::lock_guard<std::mutex> guard(madeLock);
  auto found = made().find(name);
  if (found != made().end()) {
    if (::setns(found->second.ns.get(), CLONE_NEWNET) != 0) return fail(errno, "setns", name);
    found->second.holds++;
    owned = true;
    return ok();
  }
  struct stat s = {};
  Marker m;
  const bool exists = ::stat(netnsPath(name).c_str(), &s) == 0;
  // Entering a namespace of others needs no marker directory, so no right to write under /run.
  if (exists && !readMarker(name, m)) return enter(netnsPath(name));
  Fd lock;
  Failure f = lockMarkers(lock);
  if (!f) f = reclaim(name);
  if (f) return f;
  if (::stat(netnsPath(name).c_str(), &s) == 0) return enter(netnsPath(name));
  Made entry;
  f = makeNamespace(name, entry);
  if (f) return f;
  entry.holds = 1;
  made().emplace(name, std::move(entry));
  owned = true;
  return ok();
}

/** Runs `body` on a thread that takes no signals, and waits for it. */
Failure onThread(const std::function<Failure()>& body) {
  Failure result;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread worker([&] { result = body(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  worker.join();
  return result;
}

}  // namespace

bool validNamespaceName(const std::string& name) {
  if (name.empty() || name.size() > 64 || name == "." || name == "..") return false;
  for (const char c : name) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
    if (!good) return false;
  }
  return true;
}

Failure inNamespace(const std::string& name, bool& owned, const std::function<Failure()>& work) {
  owned = false;
  Failure f = onThread([&] {
    Failure inside = claim(name, owned);
    return inside ? inside : work();
  });
  if (f && owned) {
    leaveNamespace(name);
    owned = false;
  }
  return f;
}

Failure inNamespaceOf(int nsFd, const std::function<Failure()>& work) {
  return onThread([&] {
    if (::setns(nsFd, CLONE_NEWNET) != 0) return fail(errno, "setns");
    return work();
  });
}

void leaveNamespace(const std::string& name) {
  std::lock_guard<std::mutex> guard(madeLock);
  auto found = made().find(name);
  if (found == made().end() || --found->second.holds > 0) return;
  Fd lock;
  lockMarkers(lock);
  if (inodeOf(netnsPath(name).c_str()) == found->second.inode) removeName(name);
  ::unlink(markerPath(name).c_str());
  made().erase(found);
}

}  // namespace portside
