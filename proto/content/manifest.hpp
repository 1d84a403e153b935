// The manifest of a share: paths, entries, pages and the root (docs/protocol-content.md). The one
// header that other folders include.
//
// Entries are sorted by path, component by component, bytewise; every directory has an entry before
// its contents. The *stream* is the concatenation of the file contents in that order, cut into
// chunks. Pages follow each other; page k describes a run of whole chunks and the entries that
// begin in them. The root says what each page holds.
//
// Who shares feeds ManifestBuilder. Who fetches decodes the root, then pages as they come
// (Root::decode, Page::decode, check_page), finds out where bytes belong (ShareShape, PageLayout),
// and passes all pages through ManifestChecker before anything gets its final name.
#pragma once

#include "proto/content/builder.hpp"
#include "proto/content/checker.hpp"
#include "proto/content/chunking.hpp"
#include "proto/content/entry.hpp"
#include "proto/content/page.hpp"
#include "proto/content/paths.hpp"
#include "proto/content/root.hpp"
