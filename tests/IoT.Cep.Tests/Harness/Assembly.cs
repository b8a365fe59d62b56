// Every scenario asserts that all pooled buffers came back, which a test beside it would disturb.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
