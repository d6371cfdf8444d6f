#include "queue/site_window.h"

#include <algorithm>

namespace thurn::queue {

SiteWindow::SiteWindow(const SchedulerOptions& options, Kind kind) : options_(&options), kind_(kind) {
    const std::size_t start =
        kind == Kind::fixed ? options.local_concurrency : std::min(options.first_connections, options.connections_per_site);
    allowed_ = std::max<std::size_t>(start, 1);
}

std::optional<base::Time> SiteWindow::resting_until() const {
    if (!resting()) return std::nullopt;
    return until_;
}

void SiteWindow::closed(SiteOutcome outcome, base::Time now) {
    if (kind_ == Kind::adaptive && outcome == SiteOutcome::worked) succeeded();
    --in_use_;
    if (kind_ == Kind::adaptive && outcome == SiteOutcome::unreachable) failed(now);
    if (old_news_ > 0) --old_news_;  // connections end roughly in the order they began
}

void SiteWindow::came_back() {
    if (kind_ == Kind::adaptive && !resting()) succeeded();
}

void SiteWindow::end_rest() {
    if (resting()) phase_ = Phase::probing;
}

void SiteWindow::restore() {
    if (kind_ == Kind::fixed || (phase_ == Phase::open && rests_ == 0 && failures_ == 0)) return;
    phase_ = Phase::open;
    rests_ = 0;
    failures_ = 0;
    old_news_ = 0;
    successes_ = 0;
    allowed_ = std::max(allowed_, std::min(options_->first_connections, options_->connections_per_site));
    allowed_ = std::max<std::size_t>(allowed_, 1);
}

void SiteWindow::succeeded() {
    failures_ = 0;
    if (phase_ != Phase::open) return restore();
    if (in_use_ < allowed_ || allowed_ >= options_->connections_per_site) return;
    if (++successes_ < (has_failed_ ? allowed_ : 1)) return;
    successes_ = 0;
    ++allowed_;
}

void SiteWindow::failed(base::Time now) {
    if (resting()) return;  // old news
    if (probing()) return rest(now);
    if (failures_++ == 0) failures_to_death_ = in_use_ + 1;
    if (failures_ >= failures_to_death_) return rest(now);
    if (old_news_ > 0) return;
    has_failed_ = true;
    successes_ = 0;
    allowed_ = std::max<std::size_t>(allowed_ / 2, 1);
    old_news_ = in_use_ + 1;  // closed() takes this one off
}

void SiteWindow::rest(base::Time now) {
    const auto longest = options_->site_rest_limit;
    auto length = std::min(options_->site_rest, longest);
    for (unsigned doubled = 0; doubled < rests_ && length < longest; ++doubled) length = std::min(length * 2, longest);
    until_ = now + length;
    rests_ = std::min(rests_ + 1, 60U);
    failures_ = 0;
    has_failed_ = true;
    phase_ = Phase::resting;
}

}  // namespace thurn::queue
