// A thread that does one thing after the other.
#ifndef ODLA_IPU_QUEUE_H
#define ODLA_IPU_QUEUE_H

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace odla_ipu {

class Queue : public std::enable_shared_from_this<Queue> {
 public:
  static std::shared_ptr<Queue> make();
  ~Queue();

  // Fails once the queue is finished.
  void add(std::function<void()> work);
  // Returns when all that was added is done and the thread has ended; called by work of the queue
  // itself, at once.
  void finish();
  // Finishes all queues there are.
  static void finish_all();

 private:
  void loop();

  std::mutex mutex_, joining_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  bool finished_ = false;
  std::thread thread_;
};

}  // namespace odla_ipu

#endif
