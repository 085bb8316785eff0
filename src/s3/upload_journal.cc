// SPDX-License-Identifier: Apache-2.0
#include "s3/upload_journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/unique_fd.h"
#include "base/whole_file.h"

namespace fairlead::s3 {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxEntry = 16 * 1024;

bool is_writing(std::string_view name) {
  return name.size() == 32 && name.find_first_not_of("0123456789abcdef") == name.npos;
}

Result<void> sync_directory(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return errno_error(errno, "fsync " + path);
  return {};
}

Result<void> write_whole(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "write " + path);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(fd) != 0) return errno_error(errno, "fsync " + path);
  return {};
}

// Two lines, both complete; else the entry was cut short.
JournaledUpload parse(std::string writing, std::string_view text) {
  JournaledUpload upload{.writing = std::move(writing)};
  const std::size_t end = text.find('\n');
  if (end == text.npos || !text.ends_with('\n') || end + 2 >= text.size()) return upload;
  upload.key = text.substr(0, end);
  upload.id = text.substr(end + 1, text.size() - end - 2);
  return upload;
}

}  // namespace

std::string UploadJournal::path_of(const std::string& writing) const {
  return directory_ + "/uploads/" + writing;
}

Result<void> UploadJournal::add(const JournaledUpload& upload) {
  const std::string uploads = directory_ + "/uploads";
  if (::mkdir(uploads.c_str(), 0750) == 0) {
    if (auto synced = sync_directory(directory_); !synced) return synced;
  } else if (errno != EEXIST) {
    return errno_error(errno, "create directory " + uploads);
  }
  const std::string path = path_of(upload.writing);
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return errno_error(errno, "create " + path);
  auto written = write_whole(fd.get(), upload.key + "\n" + upload.id + "\n", path);
  if (written) written = sync_directory(uploads);
  if (!written) {
    ::unlink(path.c_str());
    return written;
  }
  const std::lock_guard lock(mutex_);
  under_way_.insert(upload.id);
  return {};
}

void UploadJournal::remove(const JournaledUpload& upload) {
  ::unlink(path_of(upload.writing).c_str());
  leave(upload);
}

void UploadJournal::leave(const JournaledUpload& upload) {
  const std::lock_guard lock(mutex_);
  under_way_.erase(upload.id);
}

Result<std::vector<JournaledUpload>> UploadJournal::interrupted() const {
  const std::string uploads = directory_ + "/uploads";
  std::vector<JournaledUpload> found;
  std::error_code ec;
  if (!fs::exists(uploads, ec) && !ec) return found;
  for (fs::directory_iterator it(uploads, ec), end; !ec && it != end; it.increment(ec)) {
    std::error_code looking;
    std::string name = it->path().filename().string();
    if (!is_writing(name) || !fs::is_regular_file(it->symlink_status(looking))) continue;
    const auto text = read_whole_file(it->path(), kMaxEntry);
    if (!text) return std::unexpected(Error(text.error()).within(it->path().string()));
    auto upload = parse(std::move(name), *text);
    if (!is_under_way(upload.id)) found.push_back(std::move(upload));
  }
  if (ec) return errno_error(ec.value(), "read " + uploads);
  return found;
}

bool UploadJournal::is_under_way(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  return under_way_.contains(id);
}

}  // namespace fairlead::s3
