using IoT.Cep.Extensibility;

namespace IoT.Cep;

/// <summary>A part of the calendar that windows follow.</summary>
public enum CalendarUnit
{
    /// <summary>A day: 23, 24 or 25 hours where clocks are changed.</summary>
    Day,

    /// <summary>Seven days.</summary>
    Week,

    /// <summary>A month.</summary>
    Month,

    /// <summary>Three months, from January, April, July and October.</summary>
    Quarter,

    /// <summary>A year.</summary>
    Year,
}

/// <summary>
/// Windows that begin when the clocks of a time zone show the beginning of a day, week, month ... A beginning that clocks skip is the instant at
/// which they skip it; of one that they show twice it is the first. So every instant is in exactly one window.
/// </summary>
internal sealed record CalendarWindows : TimeWindows
{
    private readonly CalendarUnit _unit;
    private readonly TimeZoneInfo _zone;
    private readonly DayOfWeek _firstDay;
    private readonly TimeSpan _offset;

    internal CalendarWindows(CalendarUnit unit, TimeZoneInfo zone, DayOfWeek firstDay, TimeSpan offset)
    {
        ArgumentNullException.ThrowIfNull(zone);
        if (!Enum.IsDefined(unit))
        {
            throw new ArgumentOutOfRangeException(nameof(unit), unit, "There is no such unit of the calendar.");
        }

        if (!Enum.IsDefined(firstDay))
        {
            throw new ArgumentOutOfRangeException(nameof(firstDay), firstDay, "There is no such day.");
        }

        if (offset < TimeSpan.Zero || offset >= TimeSpan.FromDays(28))
        {
            throw new ArgumentOutOfRangeException(nameof(offset), offset, "The offset lies between 0 and 28 days: windows begin that much after the beginning of the unit.");
        }

        (_unit, _zone, _firstDay, _offset) = (unit, zone, firstDay, offset);
    }

    private protected override string Describe() =>
        $"each {_unit.ToString().ToLowerInvariant()} in {_zone.Id}{(_offset == TimeSpan.Zero ? "" : $" + {_offset}")}";

    internal override (long Start, long End) PaneAt(long ticks) => FirstWindow(0, ticks);

    internal override (long Start, long End) FirstWindow(int series, long time)
    {
        var instant = Ticks.ToTime(Math.Clamp(time, Ticks.Min, Ticks.Max)).UtcDateTime;
        var first = UnitOf(Shift(TimeZoneInfo.ConvertTimeFromUtc(instant, _zone), -_offset).Date);
        var next = Next(first, 1);
        long start = Beginning(first), end = Beginning(next);

        // Where clocks were put back over midnight, or the zone left a day out, the date they show is not the window's.
        while (start > time)
        {
            (next, end) = (first, start);
            first = Next(first, -1);
            start = Beginning(first);
        }

        while (end <= time)
        {
            (first, start) = (next, end);
            next = Next(next, 1);
            end = Beginning(next);
        }

        return (start, end);
    }

    private DateTime UnitOf(DateTime day) => _unit switch
    {
        CalendarUnit.Day => day,
        CalendarUnit.Week => Shift(day, -TimeSpan.FromDays((day.DayOfWeek - _firstDay + 7) % 7)).Date,
        CalendarUnit.Month => new DateTime(day.Year, day.Month, 1),
        CalendarUnit.Quarter => new DateTime(day.Year, ((day.Month - 1) / 3 * 3) + 1, 1),
        _ => new DateTime(day.Year, 1, 1),
    };

    /// <summary>The unit so many further; the calendar's own last day where it ends.</summary>
    private DateTime Next(DateTime first, int units)
    {
        int months = _unit switch { CalendarUnit.Month => 1, CalendarUnit.Quarter => 3, CalendarUnit.Year => 12, _ => 0 };
        if (months == 0)
        {
            return Shift(first, TimeSpan.FromDays(units * (_unit == CalendarUnit.Week ? 7 : 1)));
        }

        int month = (first.Year * 12) + first.Month - 1 + (units * months);
        return month < 12 ? DateTime.MinValue : month >= 10_000 * 12 ? DateTime.MaxValue : new DateTime(month / 12, (month % 12) + 1, 1);
    }

    /// <summary>The instant at which a unit begins. The calendar's ends stand for the ends of time.</summary>
    private long Beginning(DateTime first)
    {
        if (first <= DateTime.MinValue.AddDays(2))
        {
            return long.MinValue;
        }

        if (first >= DateTime.MaxValue.AddDays(-30))
        {
            return long.MaxValue;
        }

        var local = DateTime.SpecifyKind(first + _offset, DateTimeKind.Unspecified);
        if (!_zone.IsInvalidTime(local))
        {
            var offset = _zone.IsAmbiguousTime(local) ? _zone.GetAmbiguousTimeOffsets(local).Max() : _zone.GetUtcOffset(local);
            return local.Ticks - offset.Ticks - DateTime.UnixEpoch.Ticks;
        }

        // Clocks skip it: the first instant at which they show more. They go forward only, within two days of a change.
        (long before, long after) = (local.Ticks - TimeSpan.TicksPerDay, local.Ticks + TimeSpan.TicksPerDay);
        while (after - before > 1)
        {
            long middle = before + ((after - before) / 2);
            bool shows = TimeZoneInfo.ConvertTimeFromUtc(new DateTime(middle, DateTimeKind.Utc), _zone) >= local;
            (before, after) = shows ? (before, middle) : (middle, after);
        }

        return after - DateTime.UnixEpoch.Ticks;
    }

    private static DateTime Shift(DateTime time, TimeSpan by) =>
        new(Math.Clamp(time.Ticks + by.Ticks, DateTime.MinValue.Ticks, DateTime.MaxValue.Ticks));
}
