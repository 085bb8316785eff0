// SPDX-License-Identifier: Apache-2.0
// FreshLists: which of the kept lists are known whole, since when, and by what text they are. In
// memory, shared by all workers.
//
// A push or a deletion through us makes a list no longer fresh, and an answer that was asked for
// before it is not taken for one afterwards: it may be of the time before.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"

namespace fairlead::cache {

// Thread-safe. A list is named by any text that tells it from the others.
class FreshLists {
 public:
  static constexpr std::size_t kCapacity = 16'384;

  // Grows with each change of the list, and now and then of another.
  using Generation = std::uint64_t;
  [[nodiscard]] Generation generation(const std::string& list) const;

  // The upstream gave the whole list at `checked`, asked when the list had this generation; it is
  // kept as `text`. No effect when it has another generation by now.
  void note_whole(const std::string& list, Generation asked, const std::string& text,
                  WallTime checked);
  void note_changed(const std::string& list);
  // The same of all lists whose names begin so; looks at every one.
  void note_all_changed(const std::string& beginning);

  // False: it is not known whole, whatever is kept of it.
  [[nodiscard]] bool may_be_whole(const std::string& list) const;
  // Since when `text`, which is what is kept of it now, is known to be all of it; nullopt: it is
  // not. (What is kept may be older: not every document is written.)
  [[nodiscard]] std::optional<WallTime> whole_since(const std::string& list,
                                                    const std::string& text) const;

  // Held while what is kept of the list is read, altered and written: two that do so at once would
  // lose what one of them did. Blocks.
  [[nodiscard]] std::unique_lock<std::mutex> edit(const std::string& list);

 private:
  struct Whole {
    std::size_t text;  // its hash
    WallTime checked;
  };
  static constexpr std::size_t kStripes = 256;
  static std::size_t stripe(const std::string& list);

  std::array<std::mutex, kStripes> editing_;
  mutable std::mutex mutex_;
  std::array<Generation, kStripes> generations_{};
  std::unordered_map<std::string, Whole> whole_;
};

}  // namespace fairlead::cache
