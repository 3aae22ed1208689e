/* The kernel's side of `npm run bench -- bulk`: one program for both links, so that both are
 * measured by the same loop. Built by g++ or gcc when the benchmark starts.
 *
 *   client send HOST PORT SECONDS WARM   write as fast as it goes; counts what is acknowledged
 *   client recv HOST PORT SECONDS WARM   read as fast as it comes
 *   client serve                         discard on port 9, endless octets on port 19
 *
 * send and recv print one JSON line: octets, seconds, retrans, rttUs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 256 * 1024, PATIENCE_S = 5, DISCARD = 9, CHARGEN = 19 };

static char block[BLOCK];

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char* what) {
  fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
  exit(1);
}

static struct tcp_info info(int fd) {
  struct tcp_info i;
  socklen_t len = sizeof i;
  memset(&i, 0, sizeof i);
  getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len);
  return i;
}

static int dial(const char* host, int port) {
  struct sockaddr_in to;
  memset(&to, 0, sizeof to);
  to.sin_family = AF_INET;
  to.sin_port = htons((uint16_t)port);
  if (inet_pton(AF_INET, host, &to.sin_addr) != 1) fail("address");
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) fail("socket");
  const struct timeval patience = {PATIENCE_S, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd, (struct sockaddr*)&to, sizeof to) != 0) fail("connect");
  return fd;
}

/* Octets that have passed: those acknowledged when sending, those read when receiving. */
static double passed(int fd, int sending, double read_so_far) {
  return sending ? (double)info(fd).tcpi_bytes_acked : read_so_far;
}

static void measure(int fd, int sending, double wanted, double warm) {
  const double start = seconds();
  double from = 0, from_octets = 0, total = 0;
  int counting = 0;
  for (;;) {
    const double now = seconds();
    if (!counting && now - start >= warm) {
      counting = 1;
      from = now;
      from_octets = passed(fd, sending, total);
    }
    if (counting && now - from >= wanted) break;
    const ssize_t n = sending ? send(fd, block, BLOCK, MSG_NOSIGNAL) : recv(fd, block, BLOCK, 0);
    if (n == 0) {
      errno = ECONNRESET;
      fail("the peer has ended");
    }
    if (n < 0 && errno != EINTR) fail(sending ? "send" : "recv");
    if (n > 0) total += (double)n;
  }
  const double until = seconds();
  const double octets = passed(fd, sending, total) - from_octets;
  const struct tcp_info i = info(fd);
  printf("{\"octets\":%.0f,\"seconds\":%.6f,\"retrans\":%u,\"rttUs\":%u}\n", octets, until - from,
         i.tcpi_total_retrans, i.tcpi_rtt);
}

static int listening(int port) {
  struct sockaddr_in at;
  memset(&at, 0, sizeof at);
  at.sin_family = AF_INET;
  at.sin_port = htons((uint16_t)port);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  if (fd < 0) fail("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr*)&at, sizeof at) != 0) fail("bind");
  if (listen(fd, 64) != 0) fail("listen");
  return fd;
}

/* A connection to serve: the socket, and in the sign whether it is read from or written to. */
static void* served(void* argument) {
  const intptr_t job = (intptr_t)argument;
  const int source = job < 0;
  const int fd = (int)(source ? -job : job);
  char* mine = (char*)malloc(BLOCK);
  if (mine != NULL) {
    memset(mine, 'x', BLOCK);
    for (;;) {
      const ssize_t n = source ? send(fd, mine, BLOCK, MSG_NOSIGNAL) : recv(fd, mine, BLOCK, 0);
      if (n == 0 || (n < 0 && errno != EINTR)) break;
    }
    free(mine);
  }
  close(fd);
  return NULL;
}

static void serve(void) {
  struct pollfd ports[2];
  ports[0].fd = listening(DISCARD);
  ports[1].fd = listening(CHARGEN);
  ports[0].events = ports[1].events = POLLIN;
  puts("ready");
  fflush(stdout);
  for (;;) {
    if (poll(ports, 2, -1) < 0 && errno != EINTR) fail("poll");
    for (int i = 0; i < 2; i++) {
      if ((ports[i].revents & POLLIN) == 0) continue;
      const int fd = accept(ports[i].fd, NULL, NULL);
      if (fd < 0) continue;
      pthread_t thread;
      const intptr_t job = i == 0 ? (intptr_t)fd : -(intptr_t)fd;
      if (pthread_create(&thread, NULL, served, (void*)job) != 0) close(fd);
      else pthread_detach(thread);
    }
  }
}

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  memset(block, 'x', sizeof block);
  if (argc == 2 && strcmp(argv[1], "serve") == 0) serve();
  if (argc != 6) {
    fprintf(stderr, "usage: client send|recv HOST PORT SECONDS WARM | client serve\n");
    return 1;
  }
  const int sending = strcmp(argv[1], "send") == 0;
  const int fd = dial(argv[2], atoi(argv[3]));
  measure(fd, sending, atof(argv[4]), atof(argv[5]));
  close(fd);
  return 0;
}
