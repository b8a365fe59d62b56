namespace IoT.Cep.CoapTests;

public class CoapObserveTests
{
    [Fact]
    public void An_observer_gets_the_state_and_then_each_change()
    {
        var site = new Site();
        var state = site.AddState("alarm");
        state.Set("0"u8.ToArray());
        using var watching = site.Watch("alarm");
        foreach (string next in new[] { "1", "2", "3" })
        {
            site.Network.Pass(1);
            state.Set(System.Text.Encoding.UTF8.GetBytes(next));
        }

        site.Network.Pass(1);
        Assert.Equal(["0", "1", "2", "3"], watching.States);
        Assert.Equal(3, site.Network.Seen.Count(s => s is { Type: CoapType.Confirmable, Code: CoapCode.Content }));
    }

    [Fact]
    public void Changes_during_a_notification_are_told_by_one_more()
    {
        var site = new Site();
        var state = site.AddState("alarm");
        state.Set("0"u8.ToArray());
        using var watching = site.Watch("alarm");
        site.Network.Pass(1);
        for (int i = 1; i <= 100; i++)
        {
            state.Set(System.Text.Encoding.UTF8.GetBytes($"{i}"));
        }

        site.Network.Pass(1);
        Assert.Equal(["0", "1", "100"], watching.States);
    }

    [Fact]
    public void The_last_state_arrives_over_a_network_that_loses_repeats_and_reorders()
    {
        for (int seed = 0; seed < 20; seed++)
        {
            var site = new Site(seed, transmission: new CoapTransmission { MaxRetransmit = 8 });
            var state = site.AddState("alarm", new CoapStateSettings { IsConfirmable = seed % 2 == 0 });
            (site.Network.Loss, site.Network.Repeat, site.Network.Jitter) = (0.2, 0.2, TimeSpan.FromSeconds(3));
            state.Set("0"u8.ToArray());
            using var watching = site.Watch("alarm");
            site.Network.Pass(60);
            for (int i = 1; i <= 50; i++)
            {
                state.Set(System.Text.Encoding.UTF8.GetBytes($"{i}"));
                site.Network.Pass(1);
            }

            // Without acknowledgements it may take until the state is no longer fresh.
            site.Network.Until(() => watching.States.LastOrDefault() == "50");
            var numbers = watching.States.Select(int.Parse).ToList();
            Assert.Equal(numbers.Order(), numbers);
        }
    }

    [Theory]
    [InlineData(1, 2, 0, true)]
    [InlineData(2, 1, 0, false)]
    [InlineData(2, 2, 0, false)]
    [InlineData(0xFFFFFF, 0, 0, true)]
    [InlineData(0, 0xFFFFFF, 0, false)]
    [InlineData(0, (1 << 23) - 1, 0, true)]
    [InlineData(0, 1 << 23, 0, false)]
    [InlineData(2, 1, 129, true)]
    [InlineData(2, 1, 127, false)]
    public void A_notification_is_newer_as_the_RFC_counts(uint latest, uint sequence, int secondsLater, bool newer)
    {
        var time = new VirtualNetwork().Time;
        long at = time.GetTimestamp();
        time.Advance(TimeSpan.FromSeconds(secondsLater));
        Assert.Equal(newer, CoapWatch.IsNewer((latest, at), sequence, time.GetTimestamp(), time));
    }

    [Fact]
    public void An_observer_that_says_so_is_told_no_more()
    {
        var site = new Site();
        var state = site.AddState("alarm");
        state.Set("0"u8.ToArray());
        using var watching = site.Watch("alarm");
        site.Network.Pass(1);
        Assert.Equal(1, state.Observers.Count);
        watching.Stop();
        var end = watching.Watch.EndAsync(CancellationToken.None);
        site.Network.Pass(1);
        Assert.True(end.IsCompletedSuccessfully);
        Assert.Equal(0, state.Observers.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_observer_that_resets_a_notification_is_told_no_more(bool confirmable)
    {
        var site = new Site();
        var state = site.AddState("alarm", new CoapStateSettings { IsConfirmable = confirmable });
        state.Set("0"u8.ToArray());
        using var watching = site.Watch("alarm");
        site.Network.Pass(1);
        site.ClientEnd.Forget(site.Server, watching.Watch.Observation);
        state.Set("1"u8.ToArray());
        site.Network.Pass(1);
        Assert.Equal(CoapType.Reset, site.Network.Seen[^1].Type);
        Assert.Equal(0, state.Observers.Count);
    }

    [Fact]
    public void An_observer_that_does_not_answer_is_given_up()
    {
        var site = new Site();
        var state = site.AddState("alarm");
        state.Set("0"u8.ToArray());
        using var watching = site.Watch("alarm");
        site.Network.Pass(1);
        site.Network.Loss = 1;
        state.Set("1"u8.ToArray());
        site.Network.Pass(100);
        Assert.Equal(0, state.Observers.Count);
    }

    [Fact]
    public void Notifications_without_acknowledgement_ask_for_one_once_a_minute()
    {
        var site = new Site();
        var state = site.AddState("alarm", new CoapStateSettings { IsConfirmable = false });
        state.Set("0"u8.ToArray());
        using var watching = site.Watch("alarm");
        for (int i = 0; i < 130; i++)
        {
            site.Network.Pass(1);
            state.Set(System.Text.Encoding.UTF8.GetBytes($"{i}"));
        }

        var notifications = site.Network.Seen.Where(s => s.Code == CoapCode.Content && s.Type != CoapType.Acknowledgement).ToList();
        Assert.Equal(2, notifications.Count(n => n.Type == CoapType.Confirmable));
        Assert.Equal(128, notifications.Count(n => n.Type == CoapType.NonConfirmable));
    }

    [Fact]
    public void A_state_that_is_no_longer_fresh_is_asked_for_again_with_the_same_token()
    {
        var site = new Site();
        var state = site.AddState("alarm", new CoapStateSettings { MaxAge = TimeSpan.FromSeconds(30) });
        state.Set("0"u8.ToArray());
        using var watching = site.Watch("alarm");
        site.Network.Pass(1);
        state.Observers.RemoveAll(site.ServerEnd, new(site.Network.Seen[0].From));
        site.Network.Pass(60);
        var registrations = site.Network.Seen.Where(s => s.Code == CoapCode.Get).ToList();
        Assert.Equal(2, registrations.Count);
        Assert.Equal(registrations[0].Token, registrations[1].Token);
        Assert.InRange((registrations[1].At - registrations[0].At).TotalSeconds, 35, 46);
        state.Set("1"u8.ToArray());
        site.Network.Pass(1);
        Assert.Equal("1", watching.States[^1]);
        Assert.Equal(1, state.Observers.Count);
    }

    [Fact]
    public void A_resource_that_cannot_be_observed_is_read_again_when_its_age_is_over()
    {
        int reads = 0;
        var site = new Site(inner: new Answering(_ => Pair.Content($"{reads++}").With(CoapOptionNumber.MaxAge, 10)));
        using var watching = site.Watch("plain");
        site.Network.Pass(35);
        Assert.Equal(["0", "1", "2", "3"], watching.States);
    }

    [Fact]
    public void An_observed_resource_that_goes_away_ends_the_observation()
    {
        var site = new Site(inner: new Answering(_ => CoapMessage.Error(CoapCode.NotFound, "gone")));
        using var watching = site.Watch("plain");
        site.Network.Pass(1);
        var error = Assert.IsType<CoapException>(watching.Run.Exception?.InnerException);
        Assert.Contains("4.04 gone", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_long_notification_is_read_to_its_end()
    {
        var site = new Site();
        var state = site.AddState("list");
        state.Set(new byte[10]);
        using var watching = site.Watch("list");
        site.Network.Pass(1);
        string body = new('x', 4000);
        state.Set(System.Text.Encoding.UTF8.GetBytes(body));
        site.Network.Pass(2);
        Assert.Equal(body, watching.States[^1]);
    }

    [Fact]
    public void Observers_beyond_the_limit_get_the_state_once()
    {
        var site = new Site();
        var state = site.AddState("alarm", new CoapStateSettings { MaxObservers = 1, MaxAge = TimeSpan.FromHours(1) });
        state.Set("0"u8.ToArray());
        using var watching = site.Watch("alarm");
        site.Network.Pass(1);
        var second = site.SendOne(Pair.Request(CoapCode.Get, "alarm").With(CoapOptionNumber.Observe, 0));
        Assert.Equal(CoapCode.Content, second.Code);
        Assert.Null(second.Observe);
    }

    [Fact]
    public void A_client_that_names_the_state_it_has_is_told_that_it_is_valid()
    {
        var site = new Site();
        var state = site.AddState("alarm");
        state.Set("0"u8.ToArray());
        var first = site.SendOne(Pair.Request(CoapCode.Get, "alarm"));
        var again = Pair.Request(CoapCode.Get, "alarm").With(CoapOptionNumber.ETag, first.Opaque(CoapOptionNumber.ETag)!.Value);
        var second = site.SendOne(again);
        Assert.Equal(CoapCode.Valid, second.Code);
        Assert.True(second.Payload.IsEmpty);
        state.Set("1"u8.ToArray());
        Assert.Equal(CoapCode.Content, site.SendOne(again).Code);
    }

    [Fact]
    public void What_a_state_is_not_is_refused()
    {
        var site = new Site();
        site.AddState("alarm", format: 50).Set("{}"u8.ToArray());
        Assert.Equal(CoapCode.NotAcceptable, site.SendOne(Pair.Request(CoapCode.Get, "alarm").With(CoapOptionNumber.Accept, 60)).Code);
        Assert.Equal(CoapCode.MethodNotAllowed, site.SendOne(Pair.Request(CoapCode.Delete, "alarm")).Code);
        Assert.Equal(CoapCode.NotFound, site.SendOne(Pair.Request(CoapCode.Get, "other")).Code);
    }

    [Theory]
    [InlineData("", "</a>;rt=\"temp core.s\";ct=50;obs,</b/c%20d>;ct=0;obs")]
    [InlineData("rt=core.s", "</a>;rt=\"temp core.s\";ct=50;obs")]
    [InlineData("rt=te*", "</a>;rt=\"temp core.s\";ct=50;obs")]
    [InlineData("href=/b*", "</b/c%20d>;ct=0;obs")]
    [InlineData("href=/b", "")]
    [InlineData("ct=50", "</a>;rt=\"temp core.s\";ct=50;obs")]
    [InlineData("title=x", "")]
    public void The_resources_are_listed_as_far_as_the_filter_lets_them_through(string query, string expected)
    {
        var site = new Site();
        site.AddState("a", new CoapStateSettings { ResourceType = "temp core.s" }, format: 50);
        site.AddState("b/c d");
        var request = Pair.Request(CoapCode.Get, ".well-known/core");
        var response = site.SendOne(query.Length == 0 ? request : request.With(CoapOptionNumber.UriQuery, System.Text.Encoding.UTF8.GetBytes(query)));
        Assert.Equal(CoapContentFormats.LinkFormat, response.ContentFormat);
        Assert.Equal(expected, Pair.Text(response));
    }
}
