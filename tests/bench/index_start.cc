// SPDX-License-Identifier: Apache-2.0
// index_start DIRECTORY CONTENTS: how long an index of so many stored contents, with one link each,
// takes to open, and how much memory it holds then. Makes it in DIRECTORY first.
//
// Every step has a process of its own, so that no heap is warm and memory is that of one index.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "index/sqlite_index.h"
#include "oci/digest.h"

namespace fairlead {
namespace {

constexpr int kRounds = 5;

struct Measured {
  double seconds = 0;
  double mebibytes = 0;
};

// Runs `step` in a child and gives what it measured.
template <class Step>
Measured in_child(const Step& step) {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) std::abort();
  const pid_t child = ::fork();
  if (child == 0) {
    const Measured measured = step();
    const bool is_told = ::write(pipe[1], &measured, sizeof measured) == sizeof measured;
    ::_exit(is_told ? 0 : 1);
  }
  Measured measured;
  int status = 0;
  ::close(pipe[1]);
  const bool is_told = ::read(pipe[0], &measured, sizeof measured) == sizeof measured;
  ::close(pipe[0]);
  if (::waitpid(child, &status, 0) != child || status != 0 || !is_told) {
    std::fputs("index_start: a step failed\n", stderr);
    std::exit(1);
  }
  return measured;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double resident_mebibytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

std::unique_ptr<index::SqliteIndex> open(const std::string& path) {
  auto opened = index::SqliteIndex::open(path);
  if (opened) return *std::move(opened);
  std::fprintf(stderr, "index_start: %s\n", opened.error().context.c_str());
  ::_exit(1);
}

// Half a thousand contents a repository; every twentieth is a manifest that names those before it.
Measured make(const std::string& path, int contents) {
  const auto start = std::chrono::steady_clock::now();
  const auto index = open(path);
  const WallTime now = std::chrono::system_clock::now();
  std::vector<oci::Digest> names;
  for (int i = 0; i < contents; ++i) {
    const auto digest =
        oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view(std::to_string(i)));
    const bool is_manifest = i % 20 == 19;
    index->add_link("docker.io", "library/app-" + std::to_string(i / 500), digest);
    if (is_manifest) {
      index->add_stored(digest, "application/vnd.oci.image.manifest.v1+json", 4000,
                        std::exchange(names, {}), now);
    } else {
      index->add_stored(digest, "", 30'000'000, {}, now);
      names.push_back(digest);
    }
  }
  if (!index->flush()) ::_exit(1);
  return {.seconds = seconds_since(start), .mebibytes = resident_mebibytes()};
}

Measured start(const std::string& path, int contents) {
  const auto start = std::chrono::steady_clock::now();
  const auto index = open(path);
  const double seconds = seconds_since(start);
  if (index->totals().contents != static_cast<std::uint64_t>(contents)) ::_exit(1);
  return {.seconds = seconds, .mebibytes = resident_mebibytes()};
}

int run(const std::string& directory, int contents) {
  const std::string path = directory + "/index.db";
  const Measured made = in_child([&] { return make(path, contents); });
  // Also what a process that ended well leaves: the log is in the file.
  in_child([&] {
    open(path).reset();
    return Measured{};
  });
  const double file = static_cast<double>(std::filesystem::file_size(path)) / (1 << 20);
  std::array<Measured, kRounds> rounds;
  for (Measured& round : rounds) round = in_child([&] { return start(path, contents); });
  std::ranges::sort(rounds, {}, &Measured::seconds);
  const Measured& median = rounds[kRounds / 2];
  std::printf(
      "start: an index of %d contents, each with a link (%.0f MiB on disk, made in %.1f s), opens "
      "in %.2f s (median of %d; %.2f to %.2f s) and takes %.0f MiB of memory\n",
      contents, file, made.seconds, median.seconds, kRounds, rounds.front().seconds,
      rounds.back().seconds, median.mebibytes);
  return 0;
}

}  // namespace
}  // namespace fairlead

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: index_start DIRECTORY CONTENTS\n", stderr);
    return 2;
  }
  return fairlead::run(argv[1], std::atoi(argv[2]));
}
