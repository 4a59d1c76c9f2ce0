// Taking turns at one thing.
#ifndef ODLA_IPU_LIBRARY_TURN_H
#define ODLA_IPU_LIBRARY_TURN_H

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

namespace odla_ipu {

// Runs the work of many threads, one at a time; or as they come, where the work itself says that it
// is done sooner side by side.
//
// Long work: who has the turn does that of those who have lined up meanwhile, too, before it hands
// over.  The engine works with threads of its own and that of the caller; where callers change with
// every run, they take the processors from each other.  For short work lining up costs more.
class Turn {
 public:
  // Returns when the work is done; it must not throw.  It returns whether threads should not wait
  // for each other.
  void take(const std::function<bool()>& work) {
    if (is_free_) {
      is_free_ = work();
    } else if (is_long_) {
      line_up(work);
    } else {
      std::lock_guard<std::mutex> lock(short_);
      measured(work);
    }
  }

 private:
  struct Waiting {
    const std::function<bool()>* work;
    bool done, is_next;
    std::condition_variable changed;
  };

  void line_up(const std::function<bool()>& work) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (taken_) {
      Waiting me{&work, false, false, {}};
      line_.push_back(&me);
      me.changed.wait(lock, [&] { return me.done || me.is_next; });
      if (me.done) return;
    }
    taken_ = true;
    lock.unlock();
    measured(work);
    lock.lock();
    for (size_t others = line_.size(); others > 0; --others) {
      Waiting* one = line_.front();
      line_.pop_front();
      lock.unlock();
      measured(*one->work);
      lock.lock();
      one->done = true;
      one->changed.notify_one();
    }
    if (line_.empty()) {
      taken_ = false;
      return;
    }
    Waiting* next = line_.front();
    line_.pop_front();
    next->is_next = true;
    next->changed.notify_one();
  }

  void measured(const std::function<bool()>& work) {
    auto start = std::chrono::steady_clock::now();
    is_free_ = work();
    is_long_ = std::chrono::steady_clock::now() - start > std::chrono::microseconds(500);
  }

  std::atomic<bool> is_free_{false};
  std::atomic<bool> is_long_{false};
  std::mutex short_;
  std::mutex mutex_;  // of what follows
  bool taken_ = false;
  std::deque<Waiting*> line_;
};

}  // namespace odla_ipu

#endif
