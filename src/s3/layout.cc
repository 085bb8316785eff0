// SPDX-License-Identifier: Apache-2.0
#include "s3/layout.h"

#include <utility>

#include "s3/distribution_layout.h"
#include "s3/oci_layout.h"

namespace fairlead::s3 {

std::unique_ptr<Layout> make_layout(LayoutKind kind, ObjectReader& objects, std::string root,
                                    const Clock& clock) {
  switch (kind) {
    case LayoutKind::Distribution:
      return std::make_unique<DistributionLayout>(objects, std::move(root));
    case LayoutKind::Oci:
      return std::make_unique<OciLayout>(objects, std::move(root), clock);
  }
  std::unreachable();
}

}  // namespace fairlead::s3
