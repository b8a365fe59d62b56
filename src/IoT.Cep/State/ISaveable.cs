namespace IoT.Cep.Extensibility;

/// <summary>
/// State that writes and reads itself: for an accumulator that holds arrays or other objects. A struct without references needs it not, its bytes are
/// its state. <see cref="StateCodec"/> knows every struct that implements it; nothing has to be registered.
/// </summary>
public interface ISaveable
{
    /// <summary>Writes all of it, its parameters as well.</summary>
    /// <param name="writer">Takes the state.</param>
    void Save(StateWriter writer);

    /// <summary>Reads what <see cref="Save"/> wrote, into a value that is the type's default.</summary>
    /// <param name="reader">Has the state.</param>
    /// <exception cref="InvalidDataException">The bytes are not such a state.</exception>
    void Load(StateReader reader);
}
