#include "queue.h"

#include <algorithm>
#include <vector>

#include "support.h"

namespace odla_ipu {

namespace {

struct All {
  std::mutex mutex;
  std::vector<std::weak_ptr<Queue>> queues;
};

All& all() {
  static All* one = new All;
  return *one;
}

}  // namespace

std::shared_ptr<Queue> Queue::make() {
  auto queue = std::make_shared<Queue>();
  // The thread owns the queue until it ends.
  queue->thread_ = std::thread([queue] { queue->loop(); });
  std::lock_guard<std::mutex> lock(all().mutex);
  auto& queues = all().queues;
  queues.erase(std::remove_if(queues.begin(), queues.end(),
                              [](const auto& one) { return one.expired(); }),
               queues.end());
  queues.push_back(queue);
  return queue;
}

Queue::~Queue() {
  if (thread_.joinable()) thread_.detach();
}

void Queue::add(std::function<void()> work) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (finished_) invalid("what it would run on is being destroyed");
  work_.push_back(std::move(work));
  changed_.notify_one();
}

void Queue::finish() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    finished_ = true;
    changed_.notify_one();
  }
  if (std::this_thread::get_id() == thread_.get_id()) return;
  // What is being done may need Python.
  WithoutInterpreterLock unlocked;
  std::lock_guard<std::mutex> lock(joining_);
  if (thread_.joinable()) thread_.join();
}

void Queue::finish_all() {
  std::vector<std::shared_ptr<Queue>> queues;
  {
    std::lock_guard<std::mutex> lock(all().mutex);
    for (auto& one : all().queues)
      if (auto queue = one.lock()) queues.push_back(queue);
  }
  for (auto& queue : queues) queue->finish();
}

void Queue::loop() {
  while (true) {
    std::function<void()> work;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [&] { return finished_ || !work_.empty(); });
      if (work_.empty()) return;
      work = std::move(work_.front());
      work_.pop_front();
    }
    try {
      work();
    } catch (...) {
      report_exception("a queued run");
    }
  }
}

}  // namespace odla_ipu
