// Defines Threads, an executor for krait::step_streams and krait::prefill_streams, whose threads exist as long as the object.
#ifndef THREADS_HPP
#define THREADS_HPP

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include <krait/streams.hpp>

// threads(n, task) calls task(0), ..., task(n - 1). The caller's thread takes the parts 0, size(), 2 size(), ..., and thread i
// takes the parts i, i + size(), ... A thread without work spins for some microseconds, because the layers of a model follow
// each other quickly, and then sleeps.
class Threads {
 public:
  explicit Threads(std::size_t count) : count_(count) {
    for (std::size_t i = 1; i < count; ++i) threads_.emplace_back([this, i] { work(i); });
  }
  ~Threads() {
    parts_ = 0;
    start(krait::Task{});
    for (std::thread& thread : threads_) thread.join();
  }
  Threads(const Threads&) = delete;

  std::size_t size() const { return count_; }

  void operator()(std::size_t n, krait::Task task) {
    parts_ = n;
    start(task);
    run(0);
    for (int busy = busy_; busy != 0; busy = busy_) wait_for_change(busy_, busy);
  }

 private:
  void start(krait::Task task) {
    task_ = task;
    busy_ = static_cast<int>(threads_.size());
    ++call_;
    call_.notify_all();
  }
  void run(std::size_t thread) const {
    for (std::size_t part = thread; part < parts_; part += count_) task_(part);
  }
  void work(std::size_t thread) {
    for (int call = 0;; ++call) {
      wait_for_change(call_, call);
      if (parts_ == 0) return;
      run(thread);
      if (--busy_ == 0) busy_.notify_one();
    }
  }
  static void wait_for_change(const std::atomic<int>& number, int old) {
    for (int i = 0; i < 5000; ++i)
      if (number.load(std::memory_order_acquire) != old) return;
    number.wait(old);
  }

  std::size_t count_;
  std::size_t parts_ = 0;
  krait::Task task_{};
  std::atomic<int> call_{0};  // the number of calls so far
  std::atomic<int> busy_{0};  // the number of threads that have not finished the current call
  std::vector<std::thread> threads_;
};

#endif
