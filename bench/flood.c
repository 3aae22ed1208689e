/* Floods and the client that has to live with them, for `npm run bench -- floods` and the system
 * tests. Built by gcc when they start.
 *
 *   flood KIND DEVICE TARGET PORT RATE SECONDS   packets of KIND, with forged sources, onto DEVICE
 *   flood connect TARGET PORT EACH_SECOND SECONDS   connections at a steady rate, one octet each
 *
 * KIND: syn ack rst fin (TCP), udp, echo, unreach (ICMP type 3 that quotes nobody's connection),
 * frag (first fragments whose rest never comes). Packets go onto the device through a packet socket
 * that bypasses its queueing discipline: what a router would put on the wire. The checksums are
 * good. RATE is kept by the clock: a late sender catches up, at most 5 ms' worth at once.
 *
 * Both print one JSON line. `connect` sends a request and stops its watch at the first octet of the
 * answer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, MOST_PACKET = 128, MOST_OPEN = 65536, GIVE_UP_US = 15000000 };

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void fail(const char* what) {
  fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint32_t state = 2463534242u;
static uint32_t chance(void) { /* xorshift32: the same flood every time */
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

/* --- packets ---------------------------------------------------------------------------------- */

static uint32_t partial(const uint8_t* at, size_t n, uint32_t sum) {
  for (size_t i = 0; i + 1 < n; i += 2) sum += (uint32_t)(at[i] << 8 | at[i + 1]);
  if (n & 1) sum += (uint32_t)at[n - 1] << 8;
  return sum;
}

static uint16_t folded(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

static void put16(uint8_t* at, uint32_t v) {
  at[0] = (uint8_t)(v >> 8);
  at[1] = (uint8_t)v;
}

static void put32(uint8_t* at, uint32_t v) {
  put16(at, v >> 16);
  put16(at + 2, v & 0xffff);
}

static size_t ip_header(uint8_t* p, int protocol, uint32_t dst, size_t body, uint32_t fragment) {
  memset(p, 0, 20);
  p[0] = 0x45;
  put16(p + 2, (uint32_t)(20 + body));
  put16(p + 4, chance());
  put16(p + 6, fragment);
  p[8] = 64;
  p[9] = (uint8_t)protocol;
  /* a public unicast source: 20.0.0.0 to 83.255.255.255 */
  put32(p + 12, 0x14000000u + (chance() & 0x3fffffffu));
  put32(p + 16, dst);
  put16(p + 10, folded(partial(p, 20, 0)));
  return 20 + body;
}

static void sum_up(uint8_t* p, int protocol, size_t body, size_t at) {
  const uint32_t pseudo = partial(p + 12, 8, (uint32_t)protocol + (uint32_t)body);
  put16(p + 20 + at, folded(partial(p + 20, body, pseudo)));
}

static size_t tcp_packet(uint8_t* p, uint32_t dst, int port, int flags) {
  const int syn = (flags & 2) != 0;
  const size_t body = syn ? 40 : 20;
  ip_header(p, 6, dst, body, 0x4000);
  uint8_t* t = p + 20;
  memset(t, 0, body);
  put16(t, 1024 + chance() % 64000);
  put16(t + 2, (uint32_t)port);
  put32(t + 4, chance());
  if (flags & 16) put32(t + 8, chance());
  t[12] = (uint8_t)(body / 4 << 4);
  t[13] = (uint8_t)flags;
  put16(t + 14, 64240);
  if (syn) { /* as Linux asks: MSS, SACK, timestamps, scale 7 */
    put32(t + 20, 0x020405b4);
    put32(t + 24, 0x0402080a);
    put32(t + 28, chance());
    put32(t + 36, 0x01030307);
  }
  sum_up(p, 6, body, 16);
  return 20 + body;
}

static size_t udp_packet(uint8_t* p, uint32_t dst, int port, uint32_t fragment) {
  const size_t body = 32;
  ip_header(p, 17, dst, body, fragment);
  uint8_t* u = p + 20;
  memset(u, 0, body);
  put16(u, 1024 + chance() % 64000);
  put16(u + 2, (uint32_t)port);
  put16(u + 4, fragment == 0 ? body : 1400);
  if (fragment == 0) sum_up(p, 17, body, 6);
  return 20 + body;
}

static size_t icmp_packet(uint8_t* p, uint32_t dst, int port, int type, int code) {
  const size_t body = type == 8 ? 32 : 8 + 28;
  ip_header(p, 1, dst, body, 0);
  uint8_t* c = p + 20;
  memset(c, 0, body);
  c[0] = (uint8_t)type;
  c[1] = (uint8_t)code;
  if (type == 8) {
    put32(c + 4, chance());
  } else { /* quotes a segment from TARGET to somebody */
    uint8_t inner[48];
    const size_t n = tcp_packet(inner, 0x14000000u + (chance() & 0x3fffffffu), 80, 16);
    (void)n;
    put32(inner + 12, dst);
    put16(inner + 20, (uint32_t)port);
    put16(inner + 10, 0);
    put16(inner + 10, folded(partial(inner, 20, 0)));
    memcpy(c + 8, inner, 28);
  }
  put16(c + 2, folded(partial(c, body, 0)));
  return 20 + body;
}

static size_t packet(const char* kind, uint8_t* p, uint32_t dst, int port) {
  if (strcmp(kind, "syn") == 0) return tcp_packet(p, dst, port, 2);
  if (strcmp(kind, "ack") == 0) return tcp_packet(p, dst, port, 16);
  if (strcmp(kind, "rst") == 0) return tcp_packet(p, dst, port, 4);
  if (strcmp(kind, "fin") == 0) return tcp_packet(p, dst, port, 17);
  if (strcmp(kind, "udp") == 0) return udp_packet(p, dst, port, 0);
  if (strcmp(kind, "frag") == 0) return udp_packet(p, dst, port, 0x2000);
  if (strcmp(kind, "echo") == 0) return icmp_packet(p, dst, port, 8, 0);
  if (strcmp(kind, "unreach") == 0) return icmp_packet(p, dst, port, 3, 3);
  errno = EINVAL;
  fail(kind);
  return 0;
}

/* --- the flood -------------------------------------------------------------------------------- */

static void run_flood(const char* kind, const char* device, const char* target, int port,
                      double rate, double span) {
  const int fd = socket(AF_PACKET, SOCK_DGRAM, 0);
  if (fd < 0) fail("packet socket");
  const int on = 1;
  setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
  const int room = 8 << 20;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
  struct sockaddr_ll to;
  memset(&to, 0, sizeof to);
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ETH_P_IP);
  to.sll_ifindex = (int)if_nametoindex(device);
  if (to.sll_ifindex == 0) fail(device);
  struct in_addr address;
  if (inet_pton(AF_INET, target, &address) != 1) fail(target);
  const uint32_t dst = ntohl(address.s_addr);
  static uint8_t octets[BATCH][MOST_PACKET];
  static struct iovec iov[BATCH];
  static struct mmsghdr rows[BATCH];
  const double start = now_us();
  double sent = 0, refused = 0, skipped = 0;
  for (;;) {
    const double passed = now_us() - start;
    if (passed >= span * 1e6) break;
    double due = passed * rate / 1e6 - sent - refused - skipped;
    const double most = rate * 0.005 > BATCH ? rate * 0.005 : BATCH;
    if (due > most) {
      skipped += due - most;
      due = most;
    }
    if (due < 1) {
      const struct timespec nap = {0, 200000};
      nanosleep(&nap, NULL);
      continue;
    }
    const int n = due > BATCH ? BATCH : (int)due;
    for (int i = 0; i < n; i++) {
      iov[i].iov_base = octets[i];
      iov[i].iov_len = packet(kind, octets[i], dst, port);
      memset(&rows[i], 0, sizeof rows[i]);
      rows[i].msg_hdr.msg_name = &to;
      rows[i].msg_hdr.msg_namelen = sizeof to;
      rows[i].msg_hdr.msg_iov = &iov[i];
      rows[i].msg_hdr.msg_iovlen = 1;
    }
    int done = 0;
    while (done < n) {
      const int k = sendmmsg(fd, rows + done, (unsigned)(n - done), 0);
      if (k <= 0) { /* the device's ring is full: this one is lost, as on a wire */
        refused += 1;
        done += 1;
      } else {
        sent += k;
        done += k;
      }
    }
  }
  printf("{\"kind\":\"%s\",\"sent\":%.0f,\"refused\":%.0f,\"late\":%.0f,\"seconds\":%.3f}\n", kind,
         sent, refused, skipped, (now_us() - start) / 1e6);
}

/* --- the honest client ------------------------------------------------------------------------ */

struct Try {
  double began;
  int live;
};
static struct Try tries[MOST_OPEN];
static double* times;
static size_t count, failed, within, opened;

static int by_size(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return x < y ? -1 : x > y;
}

static void end(int fd, int good) {
  const double took = now_us() - tries[fd].began;
  if (good) {
    times[count++] = took;
    if (took <= 1e6) within++;
  } else {
    failed++;
  }
  tries[fd].live = 0;
  /* no TIME-WAIT here: the ports are needed again */
  const struct linger hard = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close(fd);
}

static void begin(int epoll, const struct sockaddr_in* to) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0 || fd >= MOST_OPEN) fail("socket");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  tries[fd].began = now_us();
  tries[fd].live = 1;
  opened++;
  if (connect(fd, (const struct sockaddr*)to, sizeof *to) != 0 && errno != EINPROGRESS) {
    end(fd, 0);
    return;
  }
  struct epoll_event e = {.events = EPOLLOUT, .data = {.fd = fd}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

static void serve(int epoll, int fd, uint32_t events) {
  static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  char answer[1];
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    end(fd, 0);
  } else if ((events & EPOLLOUT) != 0) {
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0) {
      end(fd, 0);
      return;
    }
    struct epoll_event e = {.events = EPOLLIN, .data = {.fd = fd}};
    epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &e);
  } else if ((events & EPOLLIN) != 0) {
    end(fd, recv(fd, answer, 1, 0) == 1);
  }
}

static void run_connects(const char* target, int port, double rate, double span) {
  struct sockaddr_in to;
  memset(&to, 0, sizeof to);
  to.sin_family = AF_INET;
  to.sin_port = htons((uint16_t)port);
  if (inet_pton(AF_INET, target, &to.sin_addr) != 1) fail(target);
  times = (double*)calloc((size_t)(rate * span) + 16, sizeof(double));
  const int epoll = epoll_create1(0);
  const double start = now_us();
  const size_t wanted = (size_t)(rate * span);
  struct epoll_event ready[64];
  for (;;) {
    const double now = now_us();
    while (opened < wanted && (double)opened * 1e6 / rate <= now - start) begin(epoll, &to);
    if (opened == wanted && count + failed == opened) break;
    if (now - start > span * 1e6 + GIVE_UP_US) break;
    const int n = epoll_wait(epoll, ready, 64, 1);
    for (int i = 0; i < n; i++) {
      if (tries[ready[i].data.fd].live) serve(epoll, ready[i].data.fd, ready[i].events);
    }
  }
  qsort(times, count, sizeof(double), by_size);
  const double p50 = count > 0 ? times[count / 2] : -1;
  const double p99 = count > 0 ? times[(count * 99) / 100] : -1;
  const double top = count > 0 ? times[count - 1] : -1;
  printf("{\"opened\":%zu,\"answered\":%zu,\"failed\":%zu,\"withinSecond\":%zu,"
         "\"p50Us\":%.0f,\"p99Us\":%.0f,\"maxUs\":%.0f}\n",
         opened, count, failed + (opened - count - failed), within, p50, p99, top);
}

int main(int argc, char** argv) {
  if (argc == 6 && strcmp(argv[1], "connect") == 0) {
    run_connects(argv[2], atoi(argv[3]), atof(argv[4]), atof(argv[5]));
  } else if (argc == 7) {
    run_flood(argv[1], argv[2], argv[3], atoi(argv[4]), atof(argv[5]), atof(argv[6]));
  } else {
    fprintf(stderr, "flood: see the head of bench/flood.c\n");
    return 1;
  }
  return 0;
}
