// What the client makes of an answer, over a socket pair that stands for the node.
#include "tools/kith/client.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace kith::cli {
namespace {

struct Heard {
  std::vector<std::string> lines;
  std::string data;
  CallEnd end = CallEnd::kLost;
};

std::string chunk(const std::string& bytes) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return size + bytes + "\r\n";
}

// `portion`: bytes of the answer that come at once.
Heard hear(const std::string& body, std::size_t portion) {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const node::UniqueFd ours(ends[0]);
  node::UniqueFd nodes(ends[1]);
  int signals[2];
  EXPECT_EQ(::pipe(signals), 0);
  const node::UniqueFd no_signal(signals[0]);
  const node::UniqueFd writer(signals[1]);
  std::string answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += portion)
    answer += chunk(body.substr(at, portion));
  answer += "0\r\n\r\n";
  EXPECT_EQ(::send(nodes.get(), answer.data(), answer.size(), 0),
            static_cast<ssize_t>(answer.size()));
  Heard out;
  const auto end = call(
      ours, "read", "{}", no_signal.get(),
      [&](std::string_view line) { out.lines.emplace_back(line); },
      [&](std::string_view bytes) { out.data += bytes; });
  EXPECT_TRUE(end);
  if (end) out.end = *end;
  return out;
}

TEST(Client, LinesComeWholeHoweverTheyArePortioned) {
  const std::string body = "{\"a\":1}\n{\"b\":2}\n";
  for (std::size_t portion = 1; portion <= body.size(); ++portion) {
    const Heard heard = hear(body, portion);
    EXPECT_EQ(heard.end, CallEnd::kComplete);
    EXPECT_EQ(heard.lines, (std::vector<std::string>{"{\"a\":1}\n", "{\"b\":2}\n"}));
    EXPECT_TRUE(heard.data.empty());
  }
}

TEST(Client, DataBehindALineIsHandedOverAsItIs) {
  const std::string data("one\ntwo\n\0{\"v\":1}\n", 17);
  const std::string body =
      "{\"v\":1,\"event\":\"data\",\"length\":17}\n" + data + "{\"v\":1,\"event\":\"done\"}\n";
  for (std::size_t portion = 1; portion <= body.size(); ++portion) {
    const Heard heard = hear(body, portion);
    EXPECT_EQ(heard.data, data);
    EXPECT_EQ(heard.lines, std::vector<std::string>{"{\"v\":1,\"event\":\"done\"}\n"});
  }
}

}  // namespace
}  // namespace kith::cli
