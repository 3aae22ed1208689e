/* Both ends of `npm run bench -- goodput` in the kernel: the receiver that measures every
 * contestant, and the kernel's own sender. Built by gcc when the benchmark starts.
 *
 *   flows meter PORT N SECONDS WARM       accepts N connections, then counts what is read from each
 *   flows blast HOST PORT N ALGORITHM     opens N connections and writes until the peer ends them
 *
 * Both print one JSON line. `meter` says "ready" when it listens.
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
#include <time.h>
#include <unistd.h>

enum { BLOCK = 256 * 1024, MOST = 64, PATIENCE_MS = 30000 };

static char block[BLOCK];

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char* what) {
  fprintf(stderr, "flows: %s: %s\n", what, strerror(errno));
  exit(1);
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
  if (listen(fd, MOST) != 0) fail("listen");
  return fd;
}

static void accept_all(int port, struct pollfd* flows, int n) {
  struct pollfd at = {listening(port), POLLIN, 0};
  puts("ready");
  fflush(stdout);
  for (int i = 0; i < n; i++) {
    if (poll(&at, 1, PATIENCE_MS) != 1) fail("nobody has come");
    flows[i].fd = accept(at.fd, NULL, NULL);
    if (flows[i].fd < 0) fail("accept");
    flows[i].events = POLLIN;
  }
  close(at.fd);
}

static void meter(int port, int n, double wanted, double warm) {
  struct pollfd flows[MOST];
  double octets[MOST] = {0};
  accept_all(port, flows, n);
  const double start = seconds();
  double from = start, now = start;
  int counting = warm <= 0;
  while (!counting || now - from < wanted) {
    if (poll(flows, (nfds_t)n, 10) < 0 && errno != EINTR) fail("poll");
    now = seconds();
    if (!counting && now - start >= warm) {
      counting = 1;
      from = now;
      memset(octets, 0, sizeof octets);
    }
    for (int i = 0; i < n; i++) {
      if ((flows[i].revents & (POLLIN | POLLERR | POLLHUP)) == 0) continue;
      const ssize_t got = recv(flows[i].fd, block, BLOCK, MSG_DONTWAIT);
      if (got > 0) octets[i] += (double)got;
      else if (got == 0 || (errno != EAGAIN && errno != EINTR)) fail("a flow has ended");
    }
  }
  printf("{\"seconds\":%.6f,\"octets\":[", now - from);
  for (int i = 0; i < n; i++) printf("%s%.0f", i > 0 ? "," : "", octets[i]);
  puts("]}");
  fflush(stdout);
  /* A reset ends the sender at once, however much it has queued. */
  const struct linger none = {1, 0};
  for (int i = 0; i < n; i++) {
    setsockopt(flows[i].fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(flows[i].fd);
  }
}

static void* writer(void* argument) {
  const int fd = (int)(intptr_t)argument;
  for (;;) {
    const ssize_t n = send(fd, block, BLOCK, MSG_NOSIGNAL);
    if (n < 0 && errno != EINTR) return NULL;
  }
}

static int dial(const char* host, int port, const char* algorithm) {
  struct sockaddr_in to;
  memset(&to, 0, sizeof to);
  to.sin_family = AF_INET;
  to.sin_port = htons((uint16_t)port);
  if (inet_pton(AF_INET, host, &to.sin_addr) != 1) fail("address");
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) fail("socket");
  const socklen_t len = (socklen_t)strlen(algorithm);
  if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, algorithm, len) != 0) fail(algorithm);
  if (connect(fd, (struct sockaddr*)&to, sizeof to) != 0) fail("connect");
  return fd;
}

static void blast(const char* host, int port, int n, const char* algorithm) {
  int fds[MOST];
  pthread_t threads[MOST];
  for (int i = 0; i < n; i++) {
    fds[i] = dial(host, port, algorithm);
    if (pthread_create(&threads[i], NULL, writer, (void*)(intptr_t)fds[i]) != 0) fail("thread");
  }
  unsigned retrans = 0, segments = 0, reordering = 0, sent_again = 0;
  for (int i = 0; i < n; i++) {
    struct tcp_info info;
    socklen_t len = sizeof info;
    pthread_join(threads[i], NULL);
    memset(&info, 0, sizeof info);
    getsockopt(fds[i], IPPROTO_TCP, TCP_INFO, &info, &len);
    retrans += info.tcpi_total_retrans;
    segments += info.tcpi_data_segs_out;
    sent_again += info.tcpi_dsack_dups;
    if (info.tcpi_reordering > reordering) reordering = info.tcpi_reordering;
    close(fds[i]);
  }
  printf("{\"retrans\":%u,\"segments\":%u,\"dsacks\":%u,\"reordering\":%u}\n", retrans, segments,
         sent_again, reordering);
}

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  memset(block, 'x', sizeof block);
  const int n = argc == 6 ? atoi(strcmp(argv[1], "meter") == 0 ? argv[3] : argv[4]) : 0;
  if (n < 1 || n > MOST) {
    fprintf(stderr, "usage: flows meter PORT N SECONDS WARM | flows blast HOST PORT N ALGORITHM\n");
    return 1;
  }
  if (strcmp(argv[1], "meter") == 0) meter(atoi(argv[2]), n, atof(argv[4]), atof(argv[5]));
  else blast(argv[2], atoi(argv[3]), n, argv[5]);
  return 0;
}
