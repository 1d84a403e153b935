// What a large import made, until its id is known and the catalog can take it. The manifest of a
// share of 10 TiB is over a gigabyte; it waits in a file, in the home, which has no name.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "proto/result.hpp"
#include "storage/file_io.hpp"
#include "storage/importer.hpp"

namespace kith::storage {

class ImportSpool {
 public:
  /// `directory`: where the file is made by the first put(). One spool at a time for a directory.
  ImportSpool(FileIo& io, std::string directory) : io_(&io), directory_(std::move(directory)) {}

  /// Appends a part. Errors: those of the disk, with the directory; nothing was added then.
  [[nodiscard]] Result<void> put(const ImportMade& made);

  /// Parts that were put.
  [[nodiscard]] std::size_t size() const { return parts_.size(); }
  /// Part number i < size(), as it was put. Errors: those of the disk, with the directory.
  [[nodiscard]] Result<ImportMade> part(std::size_t i) const;

 private:
  struct PageSizes {
    std::uint32_t ciphertext = 0;
    std::uint32_t file_stats = 0;
  };
  struct Part {
    std::uint64_t offset = 0;  // in the file
    std::uint32_t first_page = 0;
    std::uint32_t first_chunk = 0;
    std::uint32_t chunks = 0;
    std::vector<PageSizes> pages;
  };

  [[nodiscard]] Result<void> open();
  [[nodiscard]] Error named(Error error) const;

  FileIo* io_;
  std::string directory_;
  File file_;
  std::uint64_t end_ = 0;
  std::vector<Part> parts_;
};

}  // namespace kith::storage
