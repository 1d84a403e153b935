#include "node/api/socket.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace kith::node {
namespace {

constexpr int kPending = 64;
constexpr const char* kName = "api.sock";

std::string run_directory(const std::string& home) { return home + "/run"; }

UniqueFd open_directory(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

sockaddr_un address_in(const UniqueFd& directory) {
  const std::string path = "/proc/self/fd/" + std::to_string(directory.get()) + "/" + kName;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

Result<UniqueFd> listen_api(const std::string& home) {
  const std::string path = run_directory(home);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return os_error(errno, "cannot make the directory of the API socket", path);
  }
  const UniqueFd directory = open_directory(path);
  if (!directory) return os_error(errno, "cannot open the directory of the API socket", path);
  ::unlinkat(directory.get(), kName, 0);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return os_error(errno, "cannot make the API socket", path);
  const sockaddr_un address = address_in(directory);
  if (::bind(fd.get(), generic(address), sizeof address) != 0 ||
      ::listen(fd.get(), kPending) != 0) {
    return os_error(errno, "cannot listen on the API socket", path + "/" + kName);
  }
  return fd;
}

void remove_api_socket(const std::string& home) {
  const UniqueFd directory = open_directory(run_directory(home));
  if (directory) ::unlinkat(directory.get(), kName, 0);
}

Result<UniqueFd> connect_api(const std::string& home) {
  const Error nobody = local_error(Errc::kClosed, "no node answers", home, "kith start begins one");
  const UniqueFd directory = open_directory(run_directory(home));
  if (!directory) return nobody;
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return os_error(errno, "cannot make a socket");
  const sockaddr_un address = address_in(directory);
  if (::connect(fd.get(), generic(address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return nobody;
    return os_error(errno, "cannot reach the node", home);
  }
  if (!is_same_user(fd.get())) {
    return local_error(Errc::kRefused, "the node of this home belongs to another user", home);
  }
  return fd;
}

bool is_same_user(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

}  // namespace kith::node
