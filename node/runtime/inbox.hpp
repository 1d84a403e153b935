// Values on their way to T0 from other threads: collected under a lock, and one post per batch, so
// that a burst of job results costs the network thread one wake-up.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace kith::node {

template <class T>
class Inbox {
 public:
  /// `handle` runs on the context's thread with each batch, in the order of arrival.
  Inbox(boost::asio::io_context& context, std::function<void(std::vector<T>)> handle)
      : context_(context), handle_(std::move(handle)) {}

  /// Any thread.
  void put(T value) {
    const std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
    if (values_.size() == 1) {
      boost::asio::post(context_, [this] { drain(); });
    }
  }

  /// What came and was not handled. When the context has ended.
  [[nodiscard]] std::vector<T> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(values_, {});
  }

 private:
  void drain() { handle_(take()); }

  boost::asio::io_context& context_;
  std::function<void(std::vector<T>)> handle_;
  std::mutex mutex_;
  std::vector<T> values_;
};

}  // namespace kith::node
