// SPDX-License-Identifier: Apache-2.0
#include "auth/access_list.h"

namespace fairlead::auth {

bool Access::covers(std::string_view repository) const {
  switch (reach) {
    case Reach::All:
      return true;
    case Reach::Exact:
      return repository == name;
    case Reach::Subtree:
      // The attack: "team" must not open "team-secret".
      return repository.starts_with(name) &&
             (repository.size() == name.size() || repository[name.size()] == '/');
  }
  return false;
}

Actions AccessList::allowed(std::string_view repository) const {
  Actions actions;
  for (const Access& entry : entries_) {
    if (entry.covers(repository)) actions = actions | entry.actions;
  }
  return actions;
}

Actions AccessList::refused(std::string_view repository) const {
  Actions actions;
  for (const Access& entry : entries_) {
    if (entry.covers(repository)) actions = actions | entry.refused;
  }
  return actions;
}

}  // namespace fairlead::auth
