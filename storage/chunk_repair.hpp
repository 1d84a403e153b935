// Repairing in place: a chunk whose bytes are wrong although nobody touched its files is written
// again, from a good one. What a user changed is never written over: a file is written only while
// its state (device, inode, size, mtime and ctime) is the recorded one, looked at just before.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "proto/slab.hpp"
#include "storage/chunk_reader.hpp"
#include "storage/copy_files.hpp"

namespace kith::storage {

/// A chunk whose bytes are wrong: is the disk to blame, and nobody else? True if every file in it
/// is as it was recorded, and an edit that left no trace is out of the question: its last change,
/// or its mtime, lies a minute before it was read for the recording, so that one of the two would
/// show it, or the chunk `was_sound` since. Until a page was written back a program that has mapped
/// it may store to it without any trace; on tmpfs, and where other machines write, always: there
/// nothing is rot. Any thread.
[[nodiscard]] bool is_rot(CopyFiles& files, std::span<const Stretch> stretches, bool was_sound);

/// Writes back what of the files in a chunk was recorded too soon after its last change, so that
/// whatever is stored to them from now on leaves a time behind, also through a mapping. False: it
/// could not, or this file system keeps no such times. May block as long as the disk takes.
[[nodiscard]] bool write_back(CopyFiles& files, std::span<const Stretch> stretches);

struct TouchedFile {
  std::size_t stretch = 0;  // index into the stretches
  FileStat before;          // of the file, as it was recorded
  FileStat stat;            // of the file now: to be recorded
  bool has_links = false;   // hard links: other files of the copy may be the same one
  bool repaired = false;    // false: it could not be written, but its state is another now
};
struct ChunkRepair {
  std::vector<TouchedFile> touched;  // also if it ended with an error
  std::optional<Error> error;  // kChanged: not as recorded; kNotFound; or why it cannot be written
};

/// Writes what differs from `chunk`, the verified plaintext, into the files of `stretches`, which
/// are all parts of that chunk; gives each file that it wrote its mtime back and makes it durable.
/// Stops at the first file that is not as recorded, and touches none if one is not at the
/// beginning. One call at a time for the files of a page. Blocks until the disk has it.
[[nodiscard]] ChunkRepair repair_chunk(CopyFiles& files, std::span<const Stretch> stretches,
                                       SlabChain& chunk);

}  // namespace kith::storage
