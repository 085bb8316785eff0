// SPDX-License-Identifier: Apache-2.0
#include "upstream/login.h"

#include <algorithm>

namespace fairlead::upstream {

void conceal(std::string& text, const Login& login) {
  const std::string& header = login.authorization.reveal();
  const std::string shown = header.substr(std::min(header.find(' ') + 1, header.size()));
  const std::string password = login.credentials ? login.credentials->password.reveal() : "";
  for (const std::string& secret : {shown, password}) {
    if (secret.empty()) continue;
    for (auto at = text.find(secret); at != std::string::npos;) {
      text.replace(at, secret.size(), Secret::kRedacted);
      at = text.find(secret, at + std::string_view(Secret::kRedacted).size());
    }
  }
}

}  // namespace fairlead::upstream
