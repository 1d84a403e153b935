#include "node/runtime/home.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace kith::node {
namespace {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

Result<DeviceKeys> read_keys(int fd, const std::string& path) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return os_error(errno, "cannot read the key file", path);
  if ((info.st_mode & 077) != 0) {
    return local_error(Errc::kRefused, "others may read the key file", path,
                       "chmod 600 it, if nobody else could have read it so far");
  }
  std::array<std::uint8_t, 4096> bytes;
  const ssize_t size = ::read(fd, bytes.data(), bytes.size());
  if (size < 0) return os_error(errno, "cannot read the key file", path);
  auto keys = DeviceKeys::decode(Bytes(bytes).first(static_cast<std::size_t>(size)));
  wipe(bytes);
  if (keys) return keys;
  return local_error(Errc::kIo, "the key file is damaged", path,
                     "restore it from a backup: without it this device is not who it was");
}

Result<void> write_keys(int fd, const DeviceKeys& keys, const std::string& path) {
  Buffer bytes = keys.encode();
  const ssize_t written = ::write(fd, bytes.data(), bytes.size());
  wipe(bytes);
  if (written != static_cast<ssize_t>(bytes.size()) || ::fsync(fd) != 0) {
    const int error = errno;
    ::unlink(path.c_str());
    return os_error(error, "cannot write the key file", path);
  }
  return {};
}

Result<void> check_catalog_exists(const std::string& home) {
  const std::string path = catalog_path(home);
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && info.st_size > 0) return {};
  return local_error(Errc::kIo, "the catalog is missing or empty", path,
                     "restore it from a backup: without it this device knows no swarm and no "
                     "share; or begin anew in another home");
}

}  // namespace

Result<std::optional<DeviceKeys>> load_keys(const std::string& home) {
  const std::string path = key_path(home);
  const Fd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (file.get() < 0 && errno == ENOENT) return std::optional<DeviceKeys>();
  if (file.get() < 0) return os_error(errno, "cannot open the key file", path);
  KITH_TRY(DeviceKeys keys, read_keys(file.get(), path));
  KITH_CHECK(check_catalog_exists(home));
  return std::optional(std::move(keys));
}

Result<DeviceKeys> make_keys(const std::string& home, bool new_home, Rng& rng) {
  const std::string path = key_path(home);
  if (!new_home) {
    return local_error(Errc::kIo, "the key file is missing", path,
                       "restore it from a backup: without it this device is not who it was; or "
                       "begin anew in another home");
  }
  // Written under another name first: a crash in the middle leaves no half key behind.
  const std::string fresh = path + ".new";
  ::unlink(fresh.c_str());
  const Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) return os_error(errno, "cannot make the key file", path);
  const DeviceKeys keys = DeviceKeys::generate(rng);
  KITH_CHECK(write_keys(file.get(), keys, fresh));
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    return os_error(errno, "cannot name the key file", path);
  }
  const Fd directory(::open(home.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) {
    return os_error(errno, "cannot sync the home", home);
  }
  return keys;
}

Result<HomeRelation> relation_to_home(const std::string& path, const std::string& home) {
  std::error_code error;
  const auto kept = std::filesystem::canonical(home, error);
  if (error) return os_error(error.value(), "cannot find the home", home);
  const auto place = std::filesystem::weakly_canonical(path, error);
  if (error) return os_error(error.value(), "cannot find", path);
  const auto begins_with = [](const auto& longer, const auto& start) {
    return std::mismatch(longer.begin(), longer.end(), start.begin(), start.end()).second ==
           start.end();
  };
  if (begins_with(place, kept)) return HomeRelation::kInside;
  return begins_with(kept, place) ? HomeRelation::kAround : HomeRelation::kApart;
}

Result<void> check_not_into_home(const std::string& path, const std::string& home) {
  KITH_TRY(const HomeRelation relation, relation_to_home(path, home));
  if (relation == HomeRelation::kApart) return {};
  return local_error(Errc::kRefused, "the home of this device, which holds its keys, lies there",
                     path, "-o names another directory, --as another name");
}

}  // namespace kith::node
