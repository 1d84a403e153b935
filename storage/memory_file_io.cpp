#include "storage/memory_file_io.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "proto/assert.hpp"

namespace kith::storage {
namespace {

constexpr std::uint64_t kDevice = 1;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_folded(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace

MemoryFileIo::MemoryFileIo(Options options) : options_(options) {
  Node root;
  root.kind = NodeKind::kDirectory;
  root.meta.mode = root.durable_meta.mode = 0755;
  nodes_.emplace(kRootInode, std::move(root));
}

void MemoryFileIo::before_call(std::uint64_t call, std::function<int()> action) {
  script_.emplace(call, std::move(action));
}

void MemoryFileIo::fail_at(std::uint64_t call, int errno_value) {
  before_call(call, [errno_value] { return errno_value; });
}

void MemoryFileIo::crash_at(std::uint64_t call, Crash crash) {
  before_call(call, [this, crash] {
    crashed_ = crash;
    return EIO;
  });
}

Result<void> MemoryFileIo::count_call(std::string_view doing, std::string_view subject) {
  ++calls_;
  int error = 0;
  for (auto it = script_.find(calls_); it != script_.end(); it = script_.find(calls_)) {
    const auto action = std::move(it->second);
    script_.erase(it);
    const std::uint64_t call = calls_;
    error = action();
    calls_ = call;  // what the action itself called does not count
  }
  if (crashed_) return io_error(EIO, "crashed", subject);
  if (error != 0) return io_error(error, doing, subject);
  return {};
}

Result<void> MemoryFileIo::count_change(std::string_view doing, std::string_view subject) {
  KITH_CHECK(count_call(doing, subject));
  return read_only_ ? Result<void>(io_error(EROFS, doing, subject)) : Result<void>();
}

MemoryFileIo::Inode MemoryFileIo::inode_of(const Handle& handle) const {
  const auto found = open_.find(handle.fd());
  return found == open_.end() ? 0 : found->second;
}

MemoryFileIo::Node* MemoryFileIo::node_of(const Handle& handle) {
  const auto found = nodes_.find(inode_of(handle));
  return found == nodes_.end() ? nullptr : &found->second;
}

MemoryFileIo::Inode MemoryFileIo::child(const Node& dir, std::string_view name) const {
  if (const auto found = dir.children.find(name); found != dir.children.end()) {
    return found->second;
  }
  if (!options_.folds_case) return 0;
  const auto folded = std::ranges::find_if(
      dir.children, [name](const auto& item) { return equal_folded(item.first, name); });
  return folded == dir.children.end() ? 0 : folded->second;
}

Result<MemoryFileIo::Inode> MemoryFileIo::lookup(const Dir& at, std::string_view name,
                                                 std::string_view doing) {
  const Node* dir = node_of(at);
  if (dir == nullptr || dir->kind != NodeKind::kDirectory) return io_error(ENOTDIR, doing, name);
  if (name.size() > options_.name_max) return io_error(ENAMETOOLONG, doing, name);
  const Inode found = child(*dir, name);
  if (found == 0) return io_error(ENOENT, doing, name);
  return found;
}

Result<MemoryFileIo::Inode> MemoryFileIo::create(const Dir& at, std::string_view name,
                                                 NodeKind kind, std::uint32_t mode,
                                                 std::string_view doing) {
  KITH_ASSERT(!name.empty() && name != "." && name != ".." && name.find('/') == name.npos);
  auto existing = lookup(at, name, doing);
  if (existing) return io_error(EEXIST, doing, name);
  if (existing.error().code != Errc::kNotFound) return std::move(existing).error();
  const Inode inode = next_inode_++;
  Node node;
  node.kind = kind;
  node.meta = {options_.modes ? mode : 0755, now_ns_, now_ns_};
  node.durable_meta = node.meta;
  node.data = std::make_shared<Buffer>();
  nodes_.emplace(inode, std::move(node));
  Node& dir = *node_of(at);
  apply(dir, {{std::string(name), inode}});
  touch(dir, true);
  return inode;
}

void MemoryFileIo::apply(Node& dir, Change change) {
  for (const auto& [name, inode] : change) {
    if (inode == 0) {
      dir.children.erase(name);
    } else {
      dir.children[name] = inode;
    }
  }
  if (options_.remembers) dir.changes.push_back(std::move(change));
}

void MemoryFileIo::touch(Node& node, bool content) {
  node.meta.ctime_ns = now_ns_;
  if (content) node.meta.mtime_ns = now_ns_;
}

int MemoryFileIo::open(Inode inode) {
  ++nodes_.at(inode).handles;
  open_.emplace(next_fd_, inode);
  return next_fd_++;
}

void MemoryFileIo::close(int fd) noexcept {
  const auto found = open_.find(fd);
  if (found == open_.end()) return;  // of before a crash
  const Inode inode = found->second;
  open_.erase(found);
  Node& node = nodes_.at(inode);
  --node.handles;
  if (node.locked_by == fd) node.locked_by = -1;
  forget_if_unused(inode);
}

void MemoryFileIo::unlink(Inode inode) {
  Node& node = nodes_.at(inode);
  --node.links;
  touch(node, false);
  forget_if_unused(inode);
}

void MemoryFileIo::forget_if_unused(Inode inode) {
  const Node& node = nodes_.at(inode);
  if (node.links > 0 || node.handles > 0) return;
  if (node.data) used_ -= node.data->size();
  if (options_.remembers) {
    // A crash may bring its entry back, with what was synced; until then it takes no space.
    Node& gone = nodes_.at(inode);
    gone.data = gone.durable_data ? gone.durable_data : std::make_shared<Buffer>();
    return;
  }
  nodes_.erase(inode);
}

Result<MemoryFileIo::Inode> MemoryFileIo::walk(Inode from, std::string_view path,
                                               bool follow) const {
  Inode at = from;
  int links_left = 40;
  std::string rest(path);
  while (!rest.empty()) {
    const std::size_t slash = rest.find('/');
    const std::string name = rest.substr(0, slash);
    rest = slash == std::string::npos ? "" : rest.substr(slash + 1);
    if (name.empty() || name == ".") continue;
    const Node& dir = nodes_.at(at);
    if (dir.kind != NodeKind::kDirectory) return io_error(ENOTDIR, "opening a directory", path);
    const Inode next = child(dir, name);
    if (next == 0) return io_error(ENOENT, "opening a directory", path);
    const Node& node = nodes_.at(next);
    if (node.kind == NodeKind::kSymlink) {
      if (!follow || --links_left == 0) return io_error(ELOOP, "opening a directory", path);
      if (node.target.starts_with('/')) at = kRootInode;
      rest = rest.empty() ? node.target : node.target + "/" + rest;
      continue;
    }
    at = next;
  }
  if (nodes_.at(at).kind != NodeKind::kDirectory) {
    return io_error(ENOTDIR, "opening a directory", path);
  }
  return at;
}

Result<Dir> MemoryFileIo::open_root(const std::string& path) {
  KITH_CHECK(count_call("opening a directory", path));
  KITH_TRY(const Inode inode, walk(kRootInode, path, true));
  return Dir(*this, open(inode));
}

Result<Dir> MemoryFileIo::open_dir(const Dir& at, std::string_view path) {
  KITH_CHECK(count_call("opening a directory", path));
  if (node_of(at) == nullptr) return io_error(EBADF, "opening a directory", path);
  KITH_TRY(const Inode inode, walk(inode_of(at), path, false));
  return Dir(*this, open(inode));
}

Result<File> MemoryFileIo::open_file(const Dir& at, std::string_view name, OpenMode how,
                                     std::uint32_t mode) {
  if (how == OpenMode::kCreate) {
    KITH_CHECK(count_change("creating", name));
    KITH_TRY(const Inode made,
             create(at, name, NodeKind::kFile, mode & ~options_.umask, "creating"));
    return File(*this, open(made));
  }
  KITH_CHECK(how == OpenMode::kRead ? count_call("opening", name) : count_change("opening", name));
  KITH_TRY(const Inode inode, lookup(at, name, "opening"));
  const NodeKind kind = nodes_.at(inode).kind;
  if (kind == NodeKind::kSymlink) return io_error(ELOOP, "opening", name);
  if (kind == NodeKind::kDirectory && how == OpenMode::kReadWrite) {
    return io_error(EISDIR, "opening", name);
  }
  return File(*this, open(inode));
}

Result<std::size_t> MemoryFileIo::read(const File& file, std::uint64_t offset,
                                       std::span<const iovec> into) {
  KITH_CHECK(count_call("reading", {}));
  const Node* node = node_of(file);
  if (node == nullptr || node->kind != NodeKind::kFile) return io_error(EBADF, "reading");
  std::size_t done = 0;
  for (const iovec& part : into) {
    const std::uint64_t at = offset + done;
    if (at >= node->data->size()) break;
    const std::size_t n = std::min<std::size_t>(part.iov_len, node->data->size() - at);
    std::memcpy(part.iov_base, node->data->data() + at, n);
    done += n;
  }
  return done;
}

Buffer& MemoryFileIo::own_data(Node& file) {
  if (file.data.use_count() > 1) file.data = std::make_shared<Buffer>(*file.data);
  return *file.data;
}

Result<void> MemoryFileIo::resize(Node& file, std::uint64_t size) {
  const std::uint64_t old = file.data->size();
  if (size > old && size - old > options_.capacity - std::min(options_.capacity, used_)) {
    return io_error(ENOSPC, "writing");
  }
  used_ = used_ + size - old;
  own_data(file).resize(static_cast<std::size_t>(size));
  return {};
}

Result<void> MemoryFileIo::write(const File& file, std::uint64_t offset,
                                 std::span<const iovec> from) {
  KITH_CHECK(count_change("writing", {}));
  Node* node = node_of(file);
  if (node == nullptr || node->kind != NodeKind::kFile) return io_error(EBADF, "writing");
  std::uint64_t end = offset;
  for (const iovec& part : from) end += part.iov_len;
  if (end > node->data->size()) KITH_CHECK(resize(*node, end));
  std::uint8_t* to = own_data(*node).data() + offset;
  for (const iovec& part : from) {
    if (part.iov_len > 0) std::memcpy(to, part.iov_base, part.iov_len);
    to += part.iov_len;
  }
  node->meta.mode &= ~kSetIdBits;  // as the kernel does for whoever is not root
  touch(*node, true);
  return {};
}

void MemoryFileIo::rot(const std::string& path, std::uint64_t offset) {
  const std::size_t slash = path.rfind('/');
  const auto parent = walk(kRootInode, path.substr(0, slash), false);
  KITH_ASSERT(parent);
  Node& file = nodes_.at(child(nodes_.at(*parent), path.substr(slash + 1)));
  KITH_ASSERT(file.kind == NodeKind::kFile && offset < file.data->size());
  (*file.data)[offset] ^= 1;
  const bool on_disk = file.durable_data && file.durable_data != file.data;
  if (on_disk && offset < file.durable_data->size()) (*file.durable_data)[offset] ^= 1;
}

Result<bool> MemoryFileIo::allocate(const File& file, std::uint64_t size) {
  KITH_CHECK(count_change("reserving space", {}));
  Node* node = node_of(file);
  if (node == nullptr) return io_error(EBADF, "reserving space");
  if (size > node->data->size()) KITH_CHECK(resize(*node, size));
  return true;
}

Result<void> MemoryFileIo::truncate(const File& file, std::uint64_t size) {
  KITH_CHECK(count_change("setting the size", {}));
  Node* node = node_of(file);
  if (node == nullptr) return io_error(EBADF, "setting the size");
  KITH_CHECK(resize(*node, size));
  touch(*node, true);
  return {};
}

FileInfo MemoryFileIo::info(Inode inode) const {
  const Node& node = nodes_.at(inode);
  FileInfo out;
  out.kind = node.kind;
  out.mode = node.meta.mode;
  out.links = node.links;
  out.size = node.kind == NodeKind::kFile ? node.data->size() : 0;
  out.allocated = out.size;
  out.dev = kDevice;
  out.inode = inode;
  out.mtime_ns = node.meta.mtime_ns;
  out.ctime_ns = node.meta.ctime_ns;
  return out;
}

Result<FileInfo> MemoryFileIo::stat(const Handle& handle) {
  KITH_CHECK(count_call("reading attributes", {}));
  if (node_of(handle) == nullptr) return io_error(EBADF, "reading attributes");
  return info(inode_of(handle));
}

Result<FileInfo> MemoryFileIo::stat_at(const Dir& at, std::string_view name) {
  KITH_CHECK(count_call("reading attributes", name));
  KITH_TRY(const Inode inode, lookup(at, name, "reading attributes"));
  return info(inode);
}

Result<FileSystemInfo> MemoryFileIo::file_system(const Handle&) {
  KITH_CHECK(count_call("reading the file system's state", {}));
  return FileSystemInfo{options_.capacity - std::min(used_, options_.capacity), options_.capacity,
                        options_.type, options_.name_max};
}

Result<std::vector<DirItem>> MemoryFileIo::list(const Dir& dir) {
  KITH_CHECK(count_call("listing a directory", {}));
  const Node* node = node_of(dir);
  if (node == nullptr) return io_error(EBADF, "listing a directory");
  std::vector<DirItem> out;
  for (const auto& [name, inode] : node->children) out.push_back({name, nodes_.at(inode).kind});
  // No caller may rely on an order.
  std::ranges::reverse(out);
  return out;
}

Result<std::string> MemoryFileIo::read_link(const Dir& at, std::string_view name) {
  KITH_CHECK(count_call("reading a symbolic link", name));
  KITH_TRY(const Inode inode, lookup(at, name, "reading a symbolic link"));
  if (nodes_.at(inode).kind != NodeKind::kSymlink) {
    return io_error(EINVAL, "reading a symbolic link", name);
  }
  return nodes_.at(inode).target;
}

Result<void> MemoryFileIo::set_mode(const Handle& handle, std::uint32_t mode) {
  KITH_CHECK(count_change("setting permissions", {}));
  Node* node = node_of(handle);
  if (node == nullptr) return io_error(EBADF, "setting permissions");
  if (options_.modes) node->meta.mode = mode;
  touch(*node, false);
  return {};
}

Result<void> MemoryFileIo::set_mode_at(const Dir& at, std::string_view name, std::uint32_t mode) {
  KITH_CHECK(count_change("setting permissions", name));
  KITH_TRY(const Inode inode, lookup(at, name, "setting permissions"));
  Node& node = nodes_.at(inode);
  if (node.kind == NodeKind::kSymlink) return io_error(ELOOP, "setting permissions", name);
  if (options_.modes) node.meta.mode = mode;
  touch(node, false);
  return {};
}

Result<void> MemoryFileIo::set_mtime(const Handle& handle, std::int64_t mtime_ns) {
  KITH_CHECK(count_change("setting the modification time", {}));
  Node* node = node_of(handle);
  if (node == nullptr) return io_error(EBADF, "setting the modification time");
  touch(*node, false);
  node->meta.mtime_ns = mtime_ns;
  return {};
}

Result<void> MemoryFileIo::set_mtime_at(const Dir& at, std::string_view name,
                                        std::int64_t mtime_ns) {
  KITH_CHECK(count_change("setting the modification time", name));
  KITH_TRY(const Inode inode, lookup(at, name, "setting the modification time"));
  touch(nodes_.at(inode), false);
  nodes_.at(inode).meta.mtime_ns = mtime_ns;
  return {};
}

Result<void> MemoryFileIo::make_dir(const Dir& at, std::string_view name, std::uint32_t mode) {
  KITH_CHECK(count_change("making a directory", name));
  KITH_TRY([[maybe_unused]] const Inode made,
           create(at, name, NodeKind::kDirectory, mode & ~options_.umask, "making a directory"));
  return {};
}

Result<void> MemoryFileIo::make_symlink(const Dir& at, std::string_view name,
                                        const std::string& target) {
  KITH_CHECK(count_change("making a symbolic link", name));
  if (!options_.symlinks) return io_error(EOPNOTSUPP, "making a symbolic link", name);
  KITH_TRY(const Inode made, create(at, name, NodeKind::kSymlink, 0777, "making a symbolic link"));
  nodes_.at(made).target = target;
  return {};
}

Result<void> MemoryFileIo::make_link(const Dir& at, std::string_view name, std::string_view to) {
  KITH_TRY(const Inode inode, lookup(at, to, "linking"));
  Node& file = nodes_.at(inode);
  ++file.links;
  touch(file, false);
  Node& dir = *node_of(at);
  apply(dir, {{std::string(name), inode}});
  touch(dir, true);
  return {};
}

Result<void> MemoryFileIo::make_other(const Dir& at, std::string_view name) {
  KITH_TRY([[maybe_unused]] const Inode made, create(at, name, NodeKind::kOther, 0600, "making"));
  return {};
}

Result<void> MemoryFileIo::rename(const Dir& from_dir, std::string_view from, const Dir& to_dir,
                                  std::string_view to, RenameMode mode) {
  KITH_CHECK(count_change("renaming", to));
  if (mode != RenameMode::kPlain && !options_.renames2) {
    return io_error(EOPNOTSUPP, "renaming", to);
  }
  KITH_TRY(const Inode moved, lookup(from_dir, from, "renaming"));
  const auto target = lookup(to_dir, to, "renaming");
  if (!target && target.error().code != Errc::kNotFound) return target.error();
  if (mode == RenameMode::kNoReplace && target) return io_error(EEXIST, "renaming", to);
  if (mode == RenameMode::kExchange && !target) return io_error(ENOENT, "renaming", to);
  if (mode == RenameMode::kPlain && target && !nodes_.at(*target).children.empty()) {
    return io_error(ENOTEMPTY, "renaming", to);
  }
  const Inode back = mode == RenameMode::kExchange ? *target : 0;
  Node& source_dir = *node_of(from_dir);
  Node& target_dir = *node_of(to_dir);
  if (&source_dir == &target_dir) {
    apply(source_dir, {{std::string(from), back}, {std::string(to), moved}});
  } else {
    apply(source_dir, {{std::string(from), back}});
    apply(target_dir, {{std::string(to), moved}});
  }
  touch(source_dir, true);
  touch(target_dir, true);
  touch(nodes_.at(moved), false);
  if (back != 0) touch(nodes_.at(back), false);
  if (mode == RenameMode::kPlain && target) unlink(*target);
  return {};
}

Result<void> MemoryFileIo::remove_file(const Dir& at, std::string_view name) {
  KITH_CHECK(count_change("removing", name));
  KITH_TRY(const Inode inode, lookup(at, name, "removing"));
  if (nodes_.at(inode).kind == NodeKind::kDirectory) return io_error(EISDIR, "removing", name);
  Node& dir = *node_of(at);
  apply(dir, {{std::string(name), 0}});
  touch(dir, true);
  unlink(inode);
  return {};
}

Result<void> MemoryFileIo::remove_dir(const Dir& at, std::string_view name) {
  KITH_CHECK(count_change("removing", name));
  KITH_TRY(const Inode inode, lookup(at, name, "removing"));
  const Node& node = nodes_.at(inode);
  if (node.kind != NodeKind::kDirectory) return io_error(ENOTDIR, "removing", name);
  if (!node.children.empty()) return io_error(ENOTEMPTY, "removing", name);
  Node& dir = *node_of(at);
  apply(dir, {{std::string(name), 0}});
  touch(dir, true);
  unlink(inode);
  return {};
}

Result<bool> MemoryFileIo::try_lock(const Handle& handle) {
  KITH_CHECK(count_call("locking", {}));
  Node* node = node_of(handle);
  if (node == nullptr) return io_error(EBADF, "locking");
  if (node->locked_by >= 0 && node->locked_by != handle.fd()) return false;
  node->locked_by = handle.fd();
  return true;
}

void MemoryFileIo::make_durable(Node& node, bool with_meta) {
  if (!options_.remembers) return;
  node.durable_data = node.data;
  if (with_meta) node.durable_meta = node.meta;
  if (node.kind == NodeKind::kDirectory) node.durable_children = node.children;
  node.changes.clear();
}

Result<void> MemoryFileIo::finish_writeback(const File& file) {
  KITH_CHECK(count_call("writing back", {}));
  KITH_CHECK(sync_outcome("writing back"));
  if (node_of(file) == nullptr) return io_error(EBADF, "writing back");
  return {};
}

Result<void> MemoryFileIo::sync_data(const File& file) {
  KITH_CHECK(count_change("syncing", {}));
  KITH_CHECK(sync_outcome("syncing"));
  Node* node = node_of(file);
  if (node == nullptr) return io_error(EBADF, "syncing");
  make_durable(*node, false);
  return {};
}

Result<void> MemoryFileIo::sync(const Handle& handle) {
  KITH_CHECK(count_change("syncing", {}));
  KITH_CHECK(sync_outcome("syncing"));
  Node* node = node_of(handle);
  if (node == nullptr) return io_error(EBADF, "syncing");
  make_durable(*node, true);
  return {};
}

Result<void> MemoryFileIo::sync_all(const Dir&) {
  KITH_CHECK(count_change("syncing the file system", {}));
  KITH_CHECK(sync_outcome("syncing"));
  if (!options_.remembers) return {};
  for (auto& [inode, node] : nodes_) make_durable(node, true);
  return {};
}

}  // namespace kith::storage
