// When it pays to ask again instead of sleeping. Waking a process takes 5 to 30 µs, longer than a
// small answer takes; so after a batch the loop asks for the next one for a while, as NAPI's busy
// polling does. Only where that has been right several times in a row: one wait in vain, as on a
// machine whose processors are all busy, and the loop sleeps again.
#pragma once

namespace portside {

class BusyPoll {
 public:
  /** Longest wait in µs; 0: never. */
  void setLimit(double us) { limitUs_ = us; }

  /** A batch came: at `nowUs`, after waiting since `quiet`. */
  void came(double nowUs) {
    if (nowUs - quietUs_ <= limitUs_) {
      if (heat_ < HOT) heat_++;
    } else {
      heat_ = 0;
    }
  }

  /** The batch has been dealt with; the wait begins. */
  void quiet(double nowUs) { quietUs_ = nowUs; }

  /** Whether it is worth it to ask on. */
  bool hot() const { return heat_ >= HOT && limitUs_ > 0; }

  /** True: nothing has come for so long that sleeping is better. */
  bool waitedEnough(double nowUs) {
    if (nowUs - quietUs_ <= limitUs_) return false;
    heat_ = 0;
    return true;
  }

 private:
  static constexpr int HOT = 4;

  double limitUs_ = 0;
  double quietUs_ = 0;
  int heat_ = 0;
};

}  // namespace portside
