/* The kernel's side of the differential runs: opens a TUN device in its own network namespace, takes
 * a script on stdin (one line a step: a socket call, or a packet in hexadecimal that the peer sends)
 * and tells for each step what the call answered and which packets came out of the device. All steps
 * of a script run without a pause, so that no timer of the kernel's has time to act; how long they
 * took is told as well. Sequence numbers in packets are relative: what has to be added to the ACK
 * field and the SACK blocks (the kernel's ISN) and to the timestamp's echo is added here. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS 16
#define FLOWS 65536
#define STEPS 256
#define LINE 20000

static int tun = -1;
static int sockets[SOCKETS];
/* By the peer's port: the kernel's ISN and its last timestamp. */
static uint32_t isn[FLOWS];
static uint32_t stamp[FLOWS];
static unsigned char packet[70000];
static unsigned char bulk[1 << 17];
static char steps[STEPS][LINE];

static uint32_t get32(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static void put32(unsigned char *p, uint32_t v) {
  p[0] = v >> 24;
  p[1] = v >> 16;
  p[2] = v >> 8;
  p[3] = v;
}

static uint16_t checksum(const unsigned char *p, int n, uint32_t sum) {
  for (; n > 1; n -= 2, p += 2) sum += p[0] << 8 | p[1];
  if (n > 0) sum += p[0] << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

/* Calls `use` for each TCP option with its kind, its octets and its length. */
static void each_option(unsigned char *tcp, int header,
                        void (*use)(unsigned char *, int, int), int flow) {
  for (int at = 20; at < header;) {
    if (tcp[at] == 0) return;
    if (tcp[at] == 1) {
      at++;
      continue;
    }
    if (at + 1 >= header || tcp[at + 1] < 2 || at + tcp[at + 1] > header) return;
    use(tcp + at, tcp[at + 1], flow);
    at += tcp[at + 1];
  }
}

static void remember(unsigned char *option, int len, int flow) {
  if (option[0] == TCPOPT_TIMESTAMP && len == 10) stamp[flow] = get32(option + 2);
}

static void make_absolute(unsigned char *option, int len, int flow) {
  if (option[0] == TCPOPT_TIMESTAMP && len == 10) {
    put32(option + 6, get32(option + 6) + stamp[flow]);
  }
  if (option[0] != TCPOPT_SACK) return;
  for (int i = 2; i + 4 <= len; i += 4) put32(option + i, get32(option + i) + isn[flow]);
}

/* A whole TCP segment from the peer: its relative numbers become the kernel's. */
static void inject(const char *hex, int relative) {
  int n = strlen(hex) / 2;
  for (int i = 0; i < n; i++) {
    unsigned int octet = 0;
    sscanf(hex + 2 * i, "%2x", &octet);
    packet[i] = octet;
  }
  int ip = (packet[0] & 15) * 4;
  unsigned char *tcp = packet + ip;
  if (relative && packet[9] == IPPROTO_TCP && n >= ip + 20) {
    int flow = tcp[0] << 8 | tcp[1];
    if (tcp[13] & 16) put32(tcp + 8, get32(tcp + 8) + isn[flow]);
    int header = (tcp[12] >> 4) * 4;
    if (header <= n - ip) each_option(tcp, header, make_absolute, flow);
    tcp[16] = tcp[17] = 0;
    uint32_t pseudo = IPPROTO_TCP + n - ip;
    for (int i = 12; i < 20; i += 2) pseudo += packet[i] << 8 | packet[i + 1];
    uint16_t sum = checksum(tcp, n - ip, pseudo);
    tcp[16] = sum >> 8;
    tcp[17] = sum;
  }
  if (write(tun, packet, n) < 0) printf("r %d\n", -errno);
}

/* Tells every packet that has come out. */
static void drain(int quietly) {
  for (int i = 0; i < 4096; i++) {
    int n = read(tun, packet, sizeof packet);
    if (n <= 0) return;
    if (packet[0] >> 4 != 4) continue;
    int ip = (packet[0] & 15) * 4;
    unsigned char *tcp = packet + ip;
    if (packet[9] == IPPROTO_TCP && n >= ip + 20) {
      int flow = tcp[2] << 8 | tcp[3];
      if (tcp[13] & 2) isn[flow] = get32(tcp + 4);
      each_option(tcp, (tcp[12] >> 4) * 4, remember, flow);
    }
    if (quietly) continue;
    printf("p ");
    for (int k = 0; k < n; k++) printf("%02x", packet[k]);
    printf("\n");
  }
}

static struct sockaddr_in address(const char *host, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, host, &a.sin_addr);
  return a;
}

static int opened(int fd) {
  if (fd >= 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

static int option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value);
}

static int pending_error(int fd) {
  int value = 0;
  socklen_t n = sizeof value;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &n) < 0) return -errno;
  return -value;
}

/* A new socket; the machine's default congestion control may be another than cubic. */
static int make_socket(int i) {
  int fd = opened(socket(AF_INET, SOCK_STREAM, 0));
  if (fd < 0) return -1;
  sockets[i] = fd;
  option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
  return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
}

/* One socket call; its answer, a negative errno when it failed. */
static int call(const char *verb, int i, int a, const char *host) {
  int fd = sockets[i];
  struct sockaddr_in to = address(host, a);
  struct linger hard = {1, 0};
  int n = 0;
  if (!strcmp(verb, "socket")) n = make_socket(i);
  else if (!strcmp(verb, "bind")) n = bind(fd, (struct sockaddr *)&to, sizeof to);
  else if (!strcmp(verb, "listen")) n = listen(fd, a);
  else if (!strcmp(verb, "accept")) {
    int child = opened(accept(fd, NULL, NULL));
    if (child < 0) return -errno;
    sockets[a] = child;
  } else if (!strcmp(verb, "connect")) n = connect(fd, (struct sockaddr *)&to, sizeof to);
  else if (!strcmp(verb, "send")) n = send(fd, bulk, a, MSG_NOSIGNAL);
  else if (!strcmp(verb, "urgent")) n = send(fd, bulk, a, MSG_NOSIGNAL | MSG_OOB);
  else if (!strcmp(verb, "receive")) n = recv(fd, bulk, a, 0);
  else if (!strcmp(verb, "peek")) n = recv(fd, bulk, a, MSG_PEEK);
  else if (!strcmp(verb, "shutdown")) n = shutdown(fd, a);
  else if (!strcmp(verb, "noDelay")) n = option(fd, IPPROTO_TCP, TCP_NODELAY, a);
  else if (!strcmp(verb, "cork")) n = option(fd, IPPROTO_TCP, TCP_CORK, a);
  else if (!strcmp(verb, "inline")) n = option(fd, SOL_SOCKET, SO_OOBINLINE, a);
  else if (!strcmp(verb, "error")) return pending_error(fd);
  else if (!strcmp(verb, "abort") || !strcmp(verb, "close")) {
    if (verb[0] == 'a') setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    n = close(fd);
    sockets[i] = -1;
  } else return -ENOSYS;
  return n < 0 ? -errno : n;
}

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void step(const char *line) {
  char verb[32] = "", host[64] = "0.0.0.0";
  int i = 0, a = 0;
  if (!strncmp(line, "in ", 3)) inject(line + 3, 1);
  else if (!strncmp(line, "raw ", 4)) inject(line + 4, 0);
  else if (sscanf(line, "%31s %d %d %63s", verb, &i, &a, host) >= 2 && i >= 0 && i < SOCKETS &&
           a >= 0 && a <= (int)sizeof bulk) {
    printf("r %d\n", call(verb, i, a, host));
  }
  drain(0);
  printf(".\n");
}

/* All steps at once; then everything is closed with RST and what that brings is thrown away. */
static void run(int n) {
  drain(1);
  double from = now_us();
  for (int k = 0; k < n; k++) step(steps[k]);
  printf("t %.0f\n", now_us() - from);
  for (int i = 0; i < SOCKETS; i++) {
    if (sockets[i] >= 0) call("abort", i, 0, "0.0.0.0");
  }
  drain(1);
  fflush(stdout);
}

int main(int argc, char **argv) {
  struct ifreq request = {0};
  strncpy(request.ifr_name, argc > 1 ? argv[1] : "psdiff0", IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  if (tun < 0 || ioctl(tun, TUNSETIFF, &request) < 0) {
    perror("tun");
    return 1;
  }
  for (int i = 0; i < SOCKETS; i++) sockets[i] = -1;
  memset(bulk, 'z', sizeof bulk);
  static char big[1 << 16];
  setvbuf(stdout, NULL, _IOFBF, 1 << 20);
  printf("ready\n");
  fflush(stdout);
  int n = 0;
  while (fgets(big, sizeof big, stdin) != NULL) {
    big[strcspn(big, "\n")] = 0;
    if (!strcmp(big, "run")) {
      run(n);
      n = 0;
    } else if (n < STEPS && strlen(big) < LINE) strcpy(steps[n++], big);
  }
  return 0;
}
