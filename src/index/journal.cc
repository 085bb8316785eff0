// SPDX-License-Identifier: Apache-2.0
#include "index/journal.h"

#include <algorithm>
#include <utility>

namespace fairlead::index {

Journal::Journal(Options options, Write write)
    : options_(std::move(options)), write_(std::move(write)), thread_([this] { run(); }) {}

Journal::~Journal() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

// --- what changed ---

template <class Key>
void Journal::note(std::unordered_set<Key>& keys, Key key) {
  const std::lock_guard lock(mutex_);
  const bool was_idle = keys.empty();
  keys.insert(std::move(key));
  if (was_idle) wake_.notify_one();
}

void Journal::content_changed(const oci::Digest& digest) { note(dirty_.contents, digest); }

void Journal::content_used(const oci::Digest& digest) { note(dirty_.uses, digest); }

void Journal::tag_changed(const TagKey& key) {
  note(dirty_.tags, join({key.registry, key.repository, key.tag, key.variant}));
}

void Journal::first_seen_added(std::string_view registry, std::string_view repository,
                               const oci::Digest& digest) {
  note(dirty_.first_seen, join({registry, repository, digest.str()}));
}

void Journal::put_document(const DocumentKey& key, DocumentInfo info) {
  auto document = std::make_shared<const DocumentInfo>(std::move(info));
  const std::lock_guard lock(mutex_);
  Changes::Document& at = dirty_.documents[join({key.registry, key.repository, key.name})];
  if (at.info) document_bytes_ -= at.info->body.size();
  document_bytes_ += document->body.size();
  at = {.info = std::move(document), .number = next_document_++};
  while (dirty_.documents.size() > options_.most_documents ||
         (document_bytes_ > options_.most_document_bytes && dirty_.documents.size() > 1)) {
    drop_oldest_document();
  }
  wake_.notify_one();
}

void Journal::drop_oldest_document() {
  const auto oldest = std::ranges::min_element(
      dirty_.documents, {}, [](const auto& document) { return document.second.number; });
  document_bytes_ -= oldest->second.info->body.size();
  dirty_.documents.erase(oldest);
}

std::shared_ptr<const DocumentInfo> Journal::document(const DocumentKey& key) const {
  const std::string text = join({key.registry, key.repository, key.name});
  const std::lock_guard lock(mutex_);
  const auto found = dirty_.documents.find(text);
  return found == dirty_.documents.end() ? nullptr : found->second.info;
}

Result<void> Journal::flush() {
  std::future<Result<void>> written;
  {
    const std::lock_guard lock(mutex_);
    written = flushes_.emplace_back().get_future();
  }
  wake_.notify_one();
  return written.get();
}

// --- the thread ---

Journal::Time Journal::due() const {
  if (is_closing_ || !flushes_.empty()) return Time::min();
  if (!dirty_.contents.empty() || !dirty_.tags.empty() || !dirty_.first_seen.empty() ||
      !dirty_.documents.empty()) {
    return retry_due_;
  }
  return dirty_.uses.empty() ? Time::max() : std::max(uses_due_, retry_due_);
}

void Journal::wait(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    const Time until = due();
    if (until <= std::chrono::steady_clock::now()) return;
    if (until == Time::max()) {
      wake_.wait(lock);
    } else {
      wake_.wait_until(lock, until);
    }
  }
}

// Documents are copied, for they are read from here until they are written.
Changes Journal::take(Time now) {
  Changes taken;
  taken.contents.swap(dirty_.contents);
  taken.tags.swap(dirty_.tags);
  taken.first_seen.swap(dirty_.first_seen);
  taken.documents = dirty_.documents;
  if (is_closing_ || !flushes_.empty() || now >= uses_due_) {
    taken.uses.swap(dirty_.uses);
    uses_due_ = now + options_.use_interval;
  }
  return taken;
}

void Journal::put_back(Changes taken) {
  dirty_.contents.merge(taken.contents);
  dirty_.uses.merge(taken.uses);
  dirty_.tags.merge(taken.tags);
  dirty_.first_seen.merge(taken.first_seen);
}

void Journal::settle(const Changes& written) {
  for (const auto& [key, document] : written.documents) {
    const auto found = dirty_.documents.find(key);
    if (found == dirty_.documents.end() || found->second.number != document.number) continue;
    document_bytes_ -= found->second.info->body.size();
    dirty_.documents.erase(found);
  }
}

void Journal::report(const Result<void>& result) {
  const bool is_news = result.has_value() == is_failing_;
  is_failing_ = !result.has_value();
  if (is_news && options_.on_health) options_.on_health(result);
}

void Journal::run() {
  std::unique_lock lock(mutex_);
  for (bool is_last = false; !is_last;) {
    wait(lock);
    is_last = is_closing_;
    Changes taken = take(std::chrono::steady_clock::now());
    auto flushes = std::exchange(flushes_, {});
    lock.unlock();

    const Result<void> result = taken.is_empty() ? Result<void>{} : write_(taken);
    if (!taken.is_empty()) report(result);

    lock.lock();
    if (result) {
      settle(taken);
      retry_due_ = {};
    } else {
      put_back(std::move(taken));
      retry_due_ = std::chrono::steady_clock::now() + options_.retry_after;
    }
    for (auto& flush : flushes) flush.set_value(result);
  }
}

}  // namespace fairlead::index
