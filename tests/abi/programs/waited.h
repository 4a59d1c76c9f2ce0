/* Waiting for callbacks of runs in the background. */
#ifndef WAITED_H
#define WAITED_H

#include <ODLA/odla.h>
#include <pthread.h>

struct waited {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int calls;
  odla_status last;
};
#define WAITED {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, ODLA_SUCCESS}

static int called_back(void* arg, odla_status status) {
  struct waited* w = (struct waited*)arg;
  pthread_mutex_lock(&w->mutex);
  ++w->calls;
  w->last = status;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->mutex);
  return 5;
}

static void wait_for(struct waited* w, int calls) {
  pthread_mutex_lock(&w->mutex);
  while (w->calls < calls) pthread_cond_wait(&w->changed, &w->mutex);
  pthread_mutex_unlock(&w->mutex);
}

#endif
